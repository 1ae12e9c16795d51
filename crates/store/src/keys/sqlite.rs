//! The material of KMS keys in `SQLite`.

use super::kms::KeyMaterials;
use crate::Error;
use crate::database::Database;

/// Material in the metadata database.
pub(crate) struct SqliteMaterials {
    database: Database,
}

impl SqliteMaterials {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait::async_trait]
impl KeyMaterials for SqliteMaterials {
    async fn materials(&self, key: &str) -> Result<Option<(String, Vec<Vec<u8>>)>, Error> {
        let row: Option<(String, Option<Vec<u8>>)> =
            sqlx::query_as(include_str!("sql/material.sql")).bind(key).fetch_optional(self.database.readers()).await?;
        Ok(row.map(|(status, material)| (status, material.into_iter().collect())))
    }

    async fn insert_material(&self, key: &str, _number: i64, wrapped: Vec<u8>) -> Result<(), Error> {
        let key = key.to_owned();
        self.database
            .write(move |connection| {
                Box::pin(async move {
                    sqlx::query(include_str!("sql/insert_material.sql"))
                        .bind(key)
                        .bind(wrapped)
                        .execute(connection)
                        .await
                        .map_err(Error::from)
                })
            })
            .await?;
        Ok(())
    }
}
