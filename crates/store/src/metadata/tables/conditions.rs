//! Lists of documents: conditions and orders as SQL. Names of columns are ours; values are always bound.

use super::Query;
use crate::Error;
use crate::metadata::{Position, Range, SortBy};
use crate::sql::{Dialect, Statement, sql_limit};

/// How long before or after the moment that it was scheduled for a document may be made and count as made at that moment:
/// nearly all are.
const NEAR: i64 = 600_000;

/// The query's documents.
pub(super) fn select(dialect: Dialect, sql: Statement, query: &Query) -> Result<Statement, Error> {
    select_where(dialect, sql, query, "")
}

/// The same in two parts, which may share some: those made at about the time that they were scheduled for, and those made
/// at any other time, of which there are few. In the order of creation a page of some scheduled times would otherwise be
/// looked for among all that are newer. None where that makes no difference.
pub(super) fn select_in_two(dialect: Dialect, sql: &Statement, query: &Query) -> Result<Option<[Statement; 2]>, Error> {
    let Range { after, before } = query.scheduled;
    if query.sort_by != SortBy::Created || query.limit == 0 || after.or(before).is_none() {
        return Ok(None);
    }
    let mut near = query.clone();
    let (earliest, latest) =
        (after.map(|after| after.saturating_sub(NEAR)), before.map(|before| before.saturating_add(NEAR)));
    near.created.after = near.created.after.max(earliest);
    near.created.before = near.created.before.into_iter().chain(latest).min();
    // As the index says it.
    let elsewhere = " AND abs(created - scheduled) > 600000";
    const { assert!(NEAR == 600_000) };
    Ok(Some([select_where(dialect, sql.clone(), &near, "")?, select_where(dialect, sql.clone(), query, elsewhere)?]))
}

fn select_where(dialect: Dialect, mut sql: Statement, query: &Query, condition: &str) -> Result<Statement, Error> {
    push_conditions(dialect, &mut sql, query);
    sql.push(condition);
    if let Some(position) = &query.after {
        push_position(dialect, &mut sql, query, position)?;
    }
    let direction = if query.descending { "DESC" } else { "ASC" };
    sql.push(format_args!(" ORDER BY {} {direction}", sort_column(dialect, query.sort_by)));
    if query.sort_by != SortBy::Key {
        sql.push(format_args!(", key {direction}"));
    }
    sql.push(" LIMIT ").push_bind(sql_limit(query.limit));
    Ok(sql)
}

/// How many meet the query's conditions.
pub(super) fn count(dialect: Dialect, mut sql: Statement, query: &Query) -> Statement {
    push_conditions(dialect, &mut sql, query);
    sql
}

fn push_conditions(dialect: Dialect, sql: &mut Statement, query: &Query) {
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
            sql.push(format_args!(" AND {} = ", dialect.folded(column))).push_bind(value.to_ascii_lowercase());
        }
    }
    if let Some(part) = &query.name_contains {
        sql.push(format_args!(" AND {}(lower(name), ", dialect.position_function()));
        sql.push_bind(part.to_ascii_lowercase()).push(") > 0");
    }
    push_statuses(dialect, sql, query);
    push_range(sql, "created", query.created);
    push_range(sql, "modified", query.modified);
    // `SQLite` would take all of these times, and then sort them.
    let is_sorted_otherwise = dialect == Dialect::Sqlite && query.sort_by == SortBy::Created;
    push_range(sql, if is_sorted_otherwise { "+scheduled" } else { "scheduled" }, query.scheduled);
    if let Some(prefix) = &query.key_prefix {
        sql.push_prefix("key", prefix);
    }
}

/// One status has an index in the order of creation. `SQLite` would use it for several as well, and then sort all that has any
/// of them, or for one where another condition leaves far fewer: the plus keeps it from that.
fn push_statuses(dialect: Dialect, sql: &mut Statement, query: &Query) {
    let leaves_few = query.schedule.is_some() || query.endpoint.is_some() || query.definition.is_some();
    let column = match (dialect, query.statuses.as_slice()) {
        (_, []) => return,
        (Dialect::Sqlite, [_]) if !leaves_few => "status".to_owned(),
        (Dialect::Sqlite, _) => "+status".to_owned(),
        (Dialect::Postgresql, _) => dialect.folded("status"),
    };
    sql.push(format_args!(" AND {column} IN ("));
    for (place, status) in query.statuses.iter().enumerate() {
        sql.push(if place == 0 { "" } else { ", " }).push_bind(status.to_ascii_lowercase());
    }
    sql.push(")");
}

fn push_range(sql: &mut Statement, column: &str, range: Range) {
    if let Some(after) = range.after {
        sql.push(format_args!(" AND {column} > ")).push_bind(after);
    }
    if let Some(before) = range.before {
        sql.push(format_args!(" AND {column} < ")).push_bind(before);
    }
}

fn push_position(dialect: Dialect, sql: &mut Statement, query: &Query, position: &Position) -> Result<(), Error> {
    let comparison = if query.descending { "<" } else { ">" };
    if query.sort_by == SortBy::Key {
        sql.push(format_args!(" AND key {comparison} ")).push_bind(position.key.as_str());
        return Ok(());
    }
    sql.push(format_args!(" AND ({}, key) {comparison} (", sort_column(dialect, query.sort_by)));
    if query.sort_by.is_text() {
        sql.push_bind(position.value.to_ascii_lowercase());
    } else {
        sql.push_bind(position.value.parse::<i64>().map_err(|_| Error::InvalidToken)?);
    }
    sql.push(", ").push_bind(position.key.as_str()).push(")");
    Ok(())
}

fn sort_column(dialect: Dialect, sort_by: SortBy) -> String {
    let column = sort_by.column();
    if sort_by.is_text() && sort_by != SortBy::Key { dialect.folded(column) } else { column.to_owned() }
}
