//! Which rows the configured values select, where the library has no answer of its own (section 3.1).

use watchkeeper_engine::column::CellKind;
use watchkeeper_engine::table::{Column, ColumnBuilder, Table};
use watchkeeper_formats::clarify::ConfiguredValue;

use super::{Question, column, integer, metric, text};

/// How many rows of a facet are selected, and the entry's text. Labels and predictions are 1 and 0 in turn.
fn selected(facet: Column, values: Vec<ConfiguredValue>) -> (u64, String) {
    let rows = facet.len();
    let labels = || (0..rows).map(|row| if row % 2 == 0 { "1" } else { "0" });
    let table = Table { rows, columns: vec![facet, column("y", labels()), column("p", labels())] };
    let found = Question::new(integer(1), values).ask(&table, None).unwrap();
    let section = found.pre_training.as_ref();
    let printed = section.unwrap().facets[0].1[0].value_or_threshold.clone();
    let share = metric(section, "CI").value.map_or(0.0, |imbalance| (1.0 - imbalance) / 2.0);
    ((share * rows as f64).round() as u64, printed)
}

/// So many cells of each text.
fn cells(counts: &[(&'static str, usize)]) -> Column {
    column("f", counts.iter().flat_map(|(cell, count)| std::iter::repeat_n(*cell, *count)))
}

#[test]
fn values_are_converted_to_the_kind_of_the_column() {
    let codes = || cells(&[("0", 50), ("1", 30), ("2", 20)]);
    let flags = || cells(&[("True", 30), ("False", 20), ("", 1)]);
    let words = || cells(&[("1.5", 4), ("1", 3), ("True", 2), ("no", 1)]);
    let float = ConfiguredValue::Float;
    for (facet, value, count) in [
        (codes(), text("1"), 30),
        (codes(), text("2.0"), 20),
        // A text with a point is that number, a number is cut.
        (codes(), text("1.7"), 0),
        (codes(), float(1.7), 30),
        (codes(), ConfiguredValue::Boolean(true), 30),
        (flags(), text("true"), 30),
        (flags(), text("FALSE"), 20),
        (flags(), text("1"), 30),
        (flags(), integer(0), 20),
        (flags(), integer(7), 30),
        (words(), float(1.5), 4),
        (words(), integer(1), 3),
        (words(), ConfiguredValue::Boolean(true), 2),
    ] {
        let found = selected(facet, vec![value.clone()]);
        assert_eq!(found, (count, value.printed()), "{value:?}");
    }
}

#[test]
fn values_that_match_are_not_converted() {
    // 1.7 would be cut to 1, but one of the values matches as it is.
    let codes = cells(&[("0", 50), ("1", 30), ("2", 20)]);
    assert_eq!(selected(codes, vec![ConfiguredValue::Float(1.7), integer(2)]), (20, "1.7,2".to_owned()));
}

/// As JSON has them: texts of their own, which whole numbers in CSV are not.
#[test]
fn whole_numbers_in_texts_are_measured() {
    let texts = |texts: &[&str]| {
        let mut builder = ColumnBuilder::new(false);
        for text in texts {
            builder.push(CellKind::Text, text);
        }
        builder.finish("f".to_owned())
    };
    let numbers = ["5", "40", "300", "41"];
    assert_eq!(selected(texts(&numbers), vec![integer(40)]), (2, "(40, 300]".to_owned()));
    assert_eq!(selected(texts(&numbers), vec![text("40")]), (2, "(40.0, 300.0]".to_owned()));
    let with_a_word = ["5", "40", "300", "x"];
    assert_eq!(selected(texts(&with_a_word), vec![integer(40)]), (1, "40".to_owned()));
}

#[test]
fn whole_numbers_beyond_the_doubles_are_told_apart() {
    let identifiers = || cells(&[("9007199254740992", 1), ("9007199254740993", 2), ("9007199254740994", 1)]);
    let threshold = integer(9_007_199_254_740_993);
    assert_eq!(selected(identifiers(), vec![threshold]), (1, "(9007199254740993, 9007199254740994]".to_owned()));
}

#[test]
fn an_empty_interval_has_no_text_or_ends_at_the_threshold() {
    let numbers = || cells(&[("-3.5", 1), ("-1.5", 2), ("-7.25", 1)]);
    for (threshold, count, printed) in [(-2.0, 2, "(-2.0, -1.5]"), (-1.5, 0, ""), (1.5, 0, "(-1.5, 1.5]")] {
        let found = selected(numbers(), vec![ConfiguredValue::Float(threshold)]);
        assert_eq!(found, (count, printed.to_owned()));
    }
}
