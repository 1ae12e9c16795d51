//! Metric math: arithmetic over the ids of other queries. Pure.
//!
//! Numbers, ids, `+ - * / ^`, a sign, parentheses. Between two series an operation is done at the times that both have; a
//! quotient by zero has no value. Functions are not supported [a decision of the project].

use std::collections::{BTreeMap, BTreeSet};

/// A series: times in milliseconds, in order, and values.
pub(super) type Series = Vec<(i64, f64)>;

/// An expression that was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Number(f64),
    Id(String),
    Negative(Box<Self>),
    Operation(char, Box<Self>, Box<Self>),
}

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(f64),
    Series(Series),
}

/// The deepest nesting; AWS takes expressions of 2048 characters.
const DEEPEST: usize = 64;

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let mut reader = Reader { rest: text.trim_start(), depth: 0 };
        let expression = reader.sum()?;
        if reader.rest.is_empty() { Ok(expression) } else { Err(format!("'{}' is not expected there", reader.rest)) }
    }

    /// The ids it needs.
    pub(super) fn ids(&self) -> BTreeSet<&str> {
        match self {
            Self::Number(_) => BTreeSet::new(),
            Self::Id(id) => BTreeSet::from([id.as_str()]),
            Self::Negative(inner) => inner.ids(),
            Self::Operation(_, left, right) => left.ids().union(&right.ids()).copied().collect(),
        }
    }

    /// Its series, from those of the ids it needs; None when one is missing, or when it is a number alone.
    pub(super) fn evaluate(&self, known: &BTreeMap<String, Series>) -> Option<Series> {
        match self.value(known)? {
            Value::Series(series) => Some(series.into_iter().filter(|(_, value)| value.is_finite()).collect()),
            Value::Number(_) => None,
        }
    }

    fn value(&self, known: &BTreeMap<String, Series>) -> Option<Value> {
        Some(match self {
            Self::Number(number) => Value::Number(*number),
            Self::Id(id) => Value::Series(known.get(id)?.clone()),
            Self::Negative(inner) => match inner.value(known)? {
                Value::Number(number) => Value::Number(-number),
                Value::Series(series) => {
                    Value::Series(series.into_iter().map(|(time, value)| (time, -value)).collect())
                }
            },
            Self::Operation(sign, left, right) => combined(*sign, left.value(known)?, right.value(known)?),
        })
    }
}

fn combined(sign: char, left: Value, right: Value) -> Value {
    let apply = |left: f64, right: f64| match sign {
        '+' => left + right,
        '-' => left - right,
        '*' => left * right,
        '/' => left / right,
        _ => left.powf(right),
    };
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => Value::Number(apply(left, right)),
        (Value::Number(left), Value::Series(right)) => {
            Value::Series(right.into_iter().map(|(time, right)| (time, apply(left, right))).collect())
        }
        (Value::Series(left), Value::Number(right)) => {
            Value::Series(left.into_iter().map(|(time, left)| (time, apply(left, right))).collect())
        }
        (Value::Series(left), Value::Series(right)) => {
            let right: BTreeMap<i64, f64> = right.into_iter().collect();
            let both = |(time, left): (i64, f64)| Some((time, apply(left, *right.get(&time)?)));
            Value::Series(left.into_iter().filter_map(both).collect())
        }
    }
}

struct Reader<'a> {
    /// Without blanks at its start.
    rest: &'a str,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn skip(&mut self, bytes: usize) -> &'a str {
        let (skipped, rest) = self.rest.split_at(bytes);
        self.rest = rest.trim_start();
        skipped
    }

    fn one_of(&mut self, signs: &str) -> Option<char> {
        let sign = self.rest.chars().next().filter(|sign| signs.contains(*sign))?;
        self.skip(sign.len_utf8());
        Some(sign)
    }

    fn sum(&mut self) -> Result<Expression, String> {
        let mut left = self.product()?;
        while let Some(sign) = self.one_of("+-") {
            left = Expression::Operation(sign, Box::new(left), Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expression, String> {
        let mut left = self.signed()?;
        while let Some(sign) = self.one_of("*/") {
            left = Expression::Operation(sign, Box::new(left), Box::new(self.signed()?));
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
        let expression = match self.one_of("+-") {
            Some('-') => Expression::Negative(Box::new(self.signed()?)),
            Some(_) => self.signed()?,
            None => self.power()?,
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn power(&mut self) -> Result<Expression, String> {
        let base = self.operand()?;
        match self.one_of("^") {
            Some(sign) => Ok(Expression::Operation(sign, Box::new(base), Box::new(self.signed()?))),
            None => Ok(base),
        }
    }

    fn operand(&mut self) -> Result<Expression, String> {
        let Some(first) = self.rest.chars().next() else { return Err("it ends too early".to_owned()) };
        if self.one_of("(").is_some() {
            let inner = self.sum()?;
            return if self.one_of(")").is_some() { Ok(inner) } else { Err("a parenthesis is not closed".to_owned()) };
        }
        let length = |belongs: fn(char) -> bool| self.rest.find(|c| !belongs(c)).unwrap_or(self.rest.len());
        if first.is_ascii_digit() || first == '.' {
            let digits = self.skip(length(|c| c.is_ascii_digit() || c == '.'));
            return digits.parse().map(Expression::Number).map_err(|_| format!("'{digits}' is no number"));
        }
        if first.is_ascii_lowercase() {
            let id = self.skip(length(|c| c.is_ascii_alphanumeric() || c == '_'));
            return Ok(Expression::Id(id.to_owned()));
        }
        if first.is_ascii_uppercase() {
            let name = self.skip(length(|c| c.is_ascii_alphanumeric() || c == '_'));
            return Err(format!("the function '{name}' is not supported, arithmetic over ids is"));
        }
        Err(format!("'{first}' is not expected there"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn known() -> BTreeMap<String, Series> {
        BTreeMap::from([
            ("m1".to_owned(), vec![(0, 6.0), (60, 8.0), (120, 1.0)]),
            ("m2".to_owned(), vec![(0, 2.0), (60, 0.0), (180, 5.0)]),
        ])
    }

    #[test]
    fn expressions_are_calculated_where_both_sides_have_values() {
        for (text, series) in [
            ("m1", vec![(0, 6.0), (60, 8.0), (120, 1.0)]),
            ("m1 + m2", vec![(0, 8.0), (60, 8.0)]),
            ("m1/m2", vec![(0, 3.0)]),
            ("100*(m1-m2)/m1", vec![(0, 400.0 / 6.0), (60, 100.0)]),
            ("-m1 + 10", vec![(0, 4.0), (60, 2.0), (120, 9.0)]),
            ("2 - 3 - m2", vec![(0, -3.0), (60, -1.0), (180, -6.0)]),
            ("2 * m2 ^ 2", vec![(0, 8.0), (60, 0.0), (180, 50.0)]),
            ("m2 * .5", vec![(0, 1.0), (60, 0.0), (180, 2.5)]),
        ] {
            assert_eq!(Expression::read(text).unwrap().evaluate(&known()), Some(series), "{text}");
        }
        assert_eq!(Expression::read("1 + 2").unwrap().evaluate(&known()), None);
        assert_eq!(Expression::read("m1 + m3").unwrap().evaluate(&known()), None);
        assert_eq!(Expression::read("m1 + m3 * 2").unwrap().ids(), BTreeSet::from(["m1", "m3"]));
    }

    #[test]
    fn what_is_no_arithmetic_is_refused_and_named() {
        for (text, reason) in [
            ("", "ends too early"),
            ("m1 +", "ends too early"),
            ("(m1", "not closed"),
            ("m1)", "')' is not expected"),
            ("m1 m2", "'m2' is not expected"),
            ("SUM(METRICS())", "the function 'SUM'"),
            ("1.2.3", "no number"),
            ("m1 & m2", "'& m2'"),
        ] {
            let error = Expression::read(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(Expression::read(&"(".repeat(2000)).unwrap_err().contains("deeply"));
        assert!(Expression::read(&"-".repeat(2000)).unwrap_err().contains("deeply"));
    }

    proptest! {
        /// The referee is the processor: an expression of numbers, with a series of one point for each of them.
        #[test]
        fn precedence_is_that_of_arithmetic(a in 1_i32..50, b in 1_i32..50, c in 1_i32..50) {
            let known = [("a", a), ("b", b), ("c", c)].map(|(id, value)| (id.to_owned(), vec![(0, f64::from(value))]));
            let known = BTreeMap::from(known);
            let (a, b, c) = (f64::from(a), f64::from(b), f64::from(c));
            for (text, value) in [("a+b*c", a + b * c), ("a-b-c", a - b - c), ("a/b/c", a / b / c), ("(a-b)*-c", (a - b) * -c), ("a-(b-c)", a - (b - c))] {
                prop_assert_eq!(Expression::read(text).unwrap().evaluate(&known), Some(vec![(0, value)]), "{}", text);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-+*/^()a-zA-Z0-9._ é]{0,40}") {
            if let Ok(expression) = Expression::read(&text) {
                let _ = expression.evaluate(&known());
            }
        }
    }
}
