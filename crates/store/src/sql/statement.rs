//! SQL with its values.

use std::fmt::{Display, Write as _};

use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Database, Encode, Type};

/// A value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(Option<String>),
    Integer(Option<i64>),
    Real(f64),
    Bytes(Vec<u8>),
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Integer(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

/// SQL with its values. The SQL is always ours, names of columns included; what comes from outside is a value.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    sql: String,
    values: Vec<Value>,
}

impl Statement {
    pub(crate) fn new(sql: impl Into<String>) -> Self {
        let mut sql = sql.into();
        sql.truncate(sql.trim_end().len());
        Self { sql, values: Vec::new() }
    }

    /// The value of the next parameter.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// More SQL.
    pub(crate) fn push(&mut self, sql: impl Display) -> &mut Self {
        write!(self.sql, "{sql}").expect("a text can be written to");
        self
    }

    /// A parameter that comes next in the SQL, with its value.
    pub(crate) fn push_bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let number = self.values.len();
        self.push(format_args!("${number}"))
    }

    /// ` AND` the condition that a column, compared as bytes, begins with a text.
    pub(crate) fn push_prefix(&mut self, column: &str, prefix: &str) -> &mut Self {
        if prefix.is_empty() {
            return self;
        }
        self.push(format_args!(" AND {column} >= ")).push_bind(prefix);
        if let Some(bound) = behind_prefix(prefix) {
            self.push(format_args!(" AND {column} < ")).push_bind(bound);
        }
        self
    }

    /// With the symbol for NUL (U+2400) in the place of each NUL in texts.
    pub(super) fn without_nul(mut self) -> Self {
        for value in &mut self.values {
            if let Value::Text(Some(text)) = value
                && text.contains('\0')
            {
                *text = text.replace('\0', "\u{2400}");
            }
        }
        self
    }

    /// What sqlx runs.
    pub(super) fn query<DB>(self) -> Query<'static, DB, DB::Arguments>
    where
        DB: Database,
        Option<String>: for<'t> Encode<'t, DB> + Type<DB>,
        Option<i64>: for<'t> Encode<'t, DB> + Type<DB>,
        f64: for<'t> Encode<'t, DB> + Type<DB>,
        Vec<u8>: for<'t> Encode<'t, DB> + Type<DB>,
    {
        let mut query = sqlx::query(AssertSqlSafe(self.sql));
        for value in self.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Integer(number) => query.bind(number),
                Value::Real(number) => query.bind(number),
                Value::Bytes(bytes) => query.bind(bytes),
            };
        }
        query
    }
}

/// The least text that is greater than all that begin with the prefix, compared as bytes of UTF-8, which is the order of
/// characters; none where there is no greater one.
fn behind_prefix(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        // A range of characters leaves out the surrogates.
        if let Some(next) = (last..=char::MAX).nth(1) {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

/// SQL's `LIMIT` for a limit of which 0 is none.
pub(crate) fn sql_limit(limit: usize) -> i64 {
    if limit == 0 { i64::MAX } else { i64::try_from(limit).unwrap_or(i64::MAX) }
}

pub(crate) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers have a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_behind_a_prefix_is_greater_than_all_that_begin_with_it() {
        assert_eq!(behind_prefix("a/").as_deref(), Some("a0"));
        assert_eq!(behind_prefix("ü").as_deref(), Some("ý"));
        assert_eq!(behind_prefix("\u{d7ff}").as_deref(), Some("\u{e000}"), "surrogates are no characters");
        assert_eq!(behind_prefix("a\u{10ffff}\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(behind_prefix("\u{10ffff}"), None);
        assert_eq!(behind_prefix(""), None);
        for prefix in ["a", "ü", "\u{7f}", "\u{7ff}", "\u{ffff}"] {
            let bound = behind_prefix(prefix).unwrap_or_default();
            for end in ["", "\0", "z", "\u{10ffff}\u{10ffff}"] {
                assert!(format!("{prefix}{end}") < bound, "{prefix:?} {end:?}");
            }
        }
    }
}
