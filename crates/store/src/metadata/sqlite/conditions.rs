//! Lists: conditions and orders as SQL. Names of columns are ours; values are always bound.

use sqlx::{QueryBuilder, Sqlite};

use super::{Query, json, sql_limit};
use crate::Error;
use crate::metadata::{Position, Range, SortBy};

/// The query's documents.
pub(super) fn select(select: &str, query: &Query) -> Result<QueryBuilder<Sqlite>, Error> {
    let mut sql = QueryBuilder::new(select);
    push_conditions(&mut sql, query);
    let column = query.sort_by.column();
    if let Some(position) = &query.after {
        push_position(&mut sql, query, position)?;
    }
    let direction = if query.descending { "DESC" } else { "ASC" };
    sql.push(format_args!(" ORDER BY {column} {direction}"));
    if query.sort_by != SortBy::Key {
        sql.push(format_args!(", key {direction}"));
    }
    sql.push(" LIMIT ").push_bind(sql_limit(query.limit));
    Ok(sql)
}

/// How many meet the query's conditions.
pub(super) fn count(count: &str, query: &Query) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new(count);
    push_conditions(&mut sql, query);
    sql
}

fn push_conditions(sql: &mut QueryBuilder<Sqlite>, query: &Query) {
    sql.push(" WHERE TRUE");
    let equalities = [
        ("status", &query.status),
        ("monitoring_type", &query.monitoring_type),
        ("endpoint", &query.endpoint),
        ("definition", &query.definition),
        ("schedule", &query.schedule),
    ];
    for (column, value) in equalities {
        if let Some(value) = value {
            sql.push(format_args!(" AND {column} = ")).push_bind(value.clone());
        }
    }
    if let Some(part) = &query.name_contains {
        sql.push(" AND instr(lower(name), ").push_bind(part.to_ascii_lowercase()).push(") > 0");
    }
    if !query.statuses.is_empty() {
        sql.push(" AND status IN (SELECT value FROM json_each(").push_bind(json(&query.statuses)).push("))");
    }
    push_range(sql, "created", query.created);
    push_range(sql, "modified", query.modified);
    push_range(sql, "scheduled", query.scheduled);
    if let Some(prefix) = &query.key_prefix {
        // No text has a byte 255: this is above all that begin with the prefix, and below all that are greater.
        let above = [prefix.as_bytes(), &[0xff]].concat();
        sql.push(" AND key >= ").push_bind(prefix.clone());
        sql.push(" AND key < CAST(").push_bind(above).push(" AS TEXT)");
    }
}

fn push_range(sql: &mut QueryBuilder<Sqlite>, column: &str, range: Range) {
    if let Some(after) = range.after {
        sql.push(format_args!(" AND {column} > ")).push_bind(after);
    }
    if let Some(before) = range.before {
        sql.push(format_args!(" AND {column} < ")).push_bind(before);
    }
}

fn push_position(sql: &mut QueryBuilder<Sqlite>, query: &Query, position: &Position) -> Result<(), Error> {
    let comparison = if query.descending { "<" } else { ">" };
    if query.sort_by == SortBy::Key {
        sql.push(format_args!(" AND key {comparison} ")).push_bind(position.key.clone());
        return Ok(());
    }
    sql.push(format_args!(" AND ({}, key) {comparison} (", query.sort_by.column()));
    if query.sort_by.is_text() {
        sql.push_bind(position.value.clone());
    } else {
        sql.push_bind(position.value.parse::<i64>().map_err(|_| Error::InvalidToken)?);
    }
    sql.push(", ").push_bind(position.key.clone()).push(")");
    Ok(())
}
