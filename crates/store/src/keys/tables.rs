//! What the master key has sealed, in the tables of a SQL database.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};

use super::kms::{KeyMaterials, StoredMaterials};
use super::sealed::{SealedPlace, SealedRecord, access_key_context};
use crate::Error;
use crate::sql::{SqlConnection, SqlDatabase, Statement};

/// The member of an access key's document.
const SEALED_SECRET: &str = "sealed_secret";

/// Materials beside the documents of their keys.
pub(crate) struct TableMaterials<D> {
    database: D,
}

impl<D: SqlDatabase> TableMaterials<D> {
    pub(crate) fn new(database: D) -> Self {
        Self { database }
    }
}

#[async_trait::async_trait]
impl<D: SqlDatabase> KeyMaterials for TableMaterials<D> {
    async fn materials(&self, key: &str) -> Result<Option<StoredMaterials>, Error> {
        let select = Statement::new(include_str!("sql/materials.sql")).bind(key);
        let rows: Vec<(String, String, Option<i64>, Option<Vec<u8>>)> = self.database.fetch_all(select).await?;
        let Some((status, body, ..)) = rows.first() else { return Ok(None) };
        let damaged = || Error::Damaged(format!("the document of key {key}"));
        let current = match members(body).ok_or_else(damaged)?.get("material") {
            None | Some(Value::Null) => 1,
            Some(number) => number.as_i64().ok_or_else(damaged)?,
        };
        let status = status.clone();
        let wrapped = rows.into_iter().filter_map(|(_, _, number, material)| number.zip(material)).collect();
        Ok(Some(StoredMaterials { status, current, wrapped }))
    }

    async fn insert_material(&self, key: &str, number: i64, wrapped: Vec<u8>) -> Result<(), Error> {
        let insert = Statement::new(include_str!("sql/insert_material.sql")).bind(key).bind(number).bind(wrapped);
        self.database.execute(insert).await.map(drop)
    }

    async fn proof(&self) -> Result<Option<Vec<u8>>, Error> {
        let proof: Option<(Vec<u8>,)> = self.database.fetch_optional(proof()).await?;
        Ok(proof.map(|(sealed,)| sealed))
    }

    async fn insert_proof(&self, sealed: Vec<u8>) -> Result<(), Error> {
        self.database.execute(Statement::new(include_str!("sql/insert_proof.sql")).bind(sealed)).await.map(drop)
    }

    async fn sealed_records(&self) -> Result<Vec<SealedRecord>, Error> {
        self.database.write(|connection| Box::pin(async move { sealed_records(connection).await })).await
    }

    async fn replace_sealed(&self, records: Vec<SealedRecord>) -> Result<(), Error> {
        self.database
            .write(move |connection| {
                let records = records.clone();
                Box::pin(async move {
                    for record in records {
                        replace(connection, record).await?;
                    }
                    Ok::<_, Error>(())
                })
            })
            .await
    }
}

fn proof() -> Statement {
    Statement::new(include_str!("sql/proof.sql"))
}

async fn sealed_records(connection: &mut impl SqlConnection) -> Result<Vec<SealedRecord>, Error> {
    let proof: Option<(Vec<u8>,)> = connection.fetch_optional(proof()).await?;
    let materials: Vec<(String, i64, Vec<u8>)> =
        connection.fetch_all(Statement::new(include_str!("sql/all_materials.sql"))).await?;
    let access_keys: Vec<(String, String)> =
        connection.fetch_all(Statement::new(include_str!("sql/access_keys.sql"))).await?;
    let proof = proof.map(|(sealed,)| SealedRecord { place: SealedPlace::Proof, sealed });
    let materials = materials
        .into_iter()
        .map(|(key, number, sealed)| SealedRecord { place: SealedPlace::Material { key, number }, sealed });
    let mut records: Vec<SealedRecord> = proof.into_iter().chain(materials).collect();
    for (key, body) in access_keys {
        let sealed = members(&body)
            .and_then(|members| BASE64_STANDARD.decode(members.get(SEALED_SECRET)?.as_str()?).ok())
            .ok_or_else(|| Error::Undecipherable(access_key_context(&key)))?;
        records.push(SealedRecord { place: SealedPlace::AccessKey { key }, sealed });
    }
    Ok(records)
}

async fn replace<C: SqlConnection>(
    connection: &mut C,
    SealedRecord { place, sealed }: SealedRecord,
) -> Result<(), Error> {
    let replace = match place {
        SealedPlace::Proof => Statement::new(include_str!("sql/replace_proof.sql")).bind(sealed),
        SealedPlace::Material { key, number } => {
            Statement::new(include_str!("sql/replace_material.sql")).bind(key).bind(number).bind(sealed)
        }
        SealedPlace::AccessKey { key } => {
            let mut select = Statement::new(include_str!("sql/access_keys.sql"));
            select.push(" WHERE key = ").push_bind(key.as_str()).push(C::DIALECT.for_update());
            let row: Option<(String, String)> = connection.fetch_optional(select).await?;
            // The access key was deleted meanwhile.
            let Some((key, body)) = row else { return Ok(()) };
            let mut members = members(&body).ok_or_else(|| Error::Damaged(access_key_context(&key)))?;
            members.insert(SEALED_SECRET.to_owned(), BASE64_STANDARD.encode(sealed).into());
            Statement::new(include_str!("sql/replace_body.sql")).bind(key).bind(Value::Object(members).to_string())
        }
    };
    connection.execute(replace).await?;
    Ok(())
}

/// The members of a document's body.
fn members(body: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(body).ok()
}
