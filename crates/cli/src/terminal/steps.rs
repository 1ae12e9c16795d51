//! What a command has done, step by step: a mark, a word that can be found again by eye, and what there is to say.

use super::text::{width, wrap};
use super::{Style, paints};

/// Where the words of steps end, and what is said begins.
const WORDS: usize = 12;

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should.
    Good,
    /// With something to look at.
    Bad,
}

/// One step; what does not fit a line goes on below itself.
pub fn step(outcome: Outcome, word: &str, said: &str, style: &Style) -> String {
    let (mark, paint) = match (outcome, style.unicode) {
        (Outcome::Good, true) => ("✓", paints::GOOD),
        (Outcome::Bad, true) => ("✗", paints::BAD),
        (Outcome::Good, false) => ("+", paints::GOOD),
        (Outcome::Bad, false) => ("!", paints::BAD),
    };
    let head = format!("{} {word}", style.paint(mark, paint));
    let indent = 2 + WORDS.max(width(word) + 1);
    let blank = " ".repeat(indent - 2 - width(word));
    let lines = wrap(said, style.width.saturating_sub(indent), style);
    let mut text = head;
    for (number, line) in lines.iter().enumerate() {
        if number == 0 {
            text.push_str(&blank);
        } else {
            text.push('\n');
            text.push_str(&" ".repeat(indent));
        }
        text.push_str(line);
    }
    text.push('\n');
    text
}
