//! `statistics.json` as a table: a row a feature.

use std::collections::BTreeMap;

use watchkeeper_formats::{FeatureStatistics, Statistics};

use super::figures::{count, counted, number, share, whole_percent};
use super::table::{Cell, Column, Cut, Row, lay_out};
use super::text::{push_left_out, push_wrapped};
use super::{Style, histogram, paints};

/// Room for the shares of categories.
const DISTRIBUTION_WIDTH: usize = 30;

/// The document as a table, in the order of the dataset, and below it how many records and features there are. Where the
/// terminal is too narrow, columns are left out in this order, and the last line names them: present, std dev, distinct,
/// median, min and max together, the percentage of missing values, mean, missing, type, distribution.
pub fn statistics(document: &Statistics, style: &Style) -> String {
    let columns = [
        Column::text("feature").cut(Cut::Middle(12)),
        Column::text("type").leaves(9),
        Column::number("present").leaves(0),
        Column::number("missing").leaves(8),
        Column::number("%").leaves(6),
        Column::number("distinct").leaves(2),
        Column::number("mean").leaves(7),
        Column::number("std dev").leaves(1),
        Column::number("min").leaves(4),
        Column::number("median").leaves(3),
        Column::number("max").leaves(4),
        Column::text("distribution").cut(Cut::End(12)).leaves(10),
    ];
    let rows: Vec<Row> = document.features.iter().map(|feature| row(feature, style)).collect();
    let table = lay_out(&columns, &rows, style);
    let mut text = table.text;
    text.push('\n');
    push_wrapped(&mut text, &footer(document), 0, style);
    push_left_out(&mut text, &table.left_out, style);
    text
}

fn row(feature: &FeatureStatistics, style: &Style) -> Row {
    let numbers = feature.numerical_statistics.as_ref();
    let texts = feature.string_statistics.as_ref();
    let common = feature.common();
    let distinct = match (numbers, texts) {
        (Some(numbers), _) => numbers.approximate_num_distinct_values.map(count),
        (None, texts) => texts.map(|texts| count(texts.distinct_count.round() as u64)),
    };
    let missing = common.map(|common| common.num_missing);
    let missing_share =
        common.map(|common| share(common.num_missing, common.num_present.saturating_add(common.num_missing)));
    let notice = |cell: Cell| if missing > Some(0) { cell.paint(paints::NOTICE) } else { cell };
    // Without a value, the numbers of a document have no meaning.
    let numbers = numbers.filter(|numbers| numbers.common.num_present > 0);
    let median = numbers.and_then(|_| histogram::ranks(feature)?.quantile(0.5));
    let cells = vec![
        Cell::of_document(&feature.name, style),
        Cell::new(feature.inferred_type.as_str()).paint(paints::QUIET),
        common.map(|common| count(common.num_present)).into(),
        notice(missing.map(count).into()),
        notice(missing_share.map(whole_percent).into()),
        distinct.into(),
        numbers.map(|numbers| number(numbers.mean)).into(),
        numbers.map(|numbers| number(numbers.std_dev)).into(),
        numbers.map(|numbers| number(numbers.min)).into(),
        median.map(number).into(),
        numbers.map(|numbers| number(numbers.max)).into(),
        Cell::from(histogram::of_feature(feature, DISTRIBUTION_WIDTH, style)).paint(paints::CURRENT),
    ];
    Row { cells, below: Vec::new() }
}

fn footer(document: &Statistics) -> String {
    let records = counted(document.dataset.item_count, "record");
    let features = counted(document.features.len() as u64, "feature");
    let mut types: BTreeMap<_, u64> = BTreeMap::new();
    for feature in &document.features {
        *types.entry(feature.inferred_type).or_default() += 1;
    }
    let types: Vec<String> =
        types.iter().map(|(inferred_type, number)| format!("{} {inferred_type}", count(*number))).collect();
    if types.is_empty() {
        format!("{records}, {features}")
    } else {
        format!("{records}, {features}: {}", types.join(", "))
    }
}
