//! Names and expressions, as requests bring them.

mod names;
mod schedule_expression;
mod time_offset;
