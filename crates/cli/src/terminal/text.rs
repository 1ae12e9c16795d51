//! Texts of a document made fit to be shown: nothing that steers the terminal, and a width that is known.
//!
//! The width of a character is that of `wcwidth`: two cells for the East Asian wide ones and for emoji, none for
//! marks and vowels that join the character before. A sequence of emoji joined by U+200D counts as its first.

use std::borrow::Cow;
use std::fmt::Write;

use super::Style;

const JOINER: char = '\u{200d}';

/// The text with control characters, other invisible ones, those that turn the direction of writing, and blanks at
/// either end escaped as `\n`, `\u{202e}`; without [`Style::unicode`] everything beyond ASCII. A text without any
/// character is `(empty)`.
pub(crate) fn visible<'a>(text: &'a str, style: &Style) -> Cow<'a, str> {
    if text.is_empty() {
        return Cow::Borrowed("(empty)");
    }
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) && text.trim_ascii() == text {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for (index, character) in text.char_indices() {
        let before = text[..index].chars().next_back();
        let is_outermost = index == 0 || index + character.len_utf8() == text.len();
        let written = match character {
            ' ' if is_outermost => write!(shown, "{}", character.escape_unicode()),
            ' '..='~' => write!(shown, "{character}"),
            _ if !style.unicode => write!(shown, "{}", character.escape_default()),
            JOINER if before.is_some_and(|before| before.is_ascii()) => write!(shown, "{}", character.escape_unicode()),
            _ if before.is_some() && joins(character) => write!(shown, "{character}"),
            _ => write!(shown, "{}", character.escape_debug()),
        };
        written.expect("a string takes any text");
    }
    Cow::Owned(shown)
}

/// A text of several lines, such as an error with its causes, with whatever would steer a terminal escaped.
pub(crate) fn readable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            _ if character.is_control() || turns(character) => shown.extend(character.escape_default()),
            _ => shown.push(character),
        }
    }
    shown
}

/// Whether a character turns the direction of writing.
fn turns(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Cells that the text takes; it must be [`visible`].
pub(super) fn width(text: &str) -> usize {
    if text.is_ascii() {
        return text.len();
    }
    let mut before = None;
    text.chars().map(|character| advance(before.replace(character), character)).sum()
}

/// The text in at most `limit` cells, cut at its end.
pub(super) fn cut_end(text: &str, limit: usize, style: &Style) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mark = cut_mark(limit, style);
    format!("{}{mark}", start(text, limit - mark.chars().count()))
}

/// The text in at most `limit` cells, cut in its middle: names of features often differ at the end alone.
pub(super) fn cut_middle(text: &str, limit: usize, style: &Style) -> String {
    if width(text) <= limit {
        return text.to_owned();
    }
    let mark = cut_mark(limit, style);
    let room = limit - mark.chars().count();
    let start = start(text, room - room / 2);
    format!("{start}{mark}{}", end(text, room - width(start)))
}

/// Lines of at most `limit` cells, broken at spaces; a word that is longer than a line is cut.
pub(super) fn wrap(text: &str, limit: usize, style: &Style) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut room = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let word = cut_end(word, limit, style);
        let needed = width(&word) + 1;
        match lines.last_mut() {
            Some(line) if needed <= room => {
                line.push(' ');
                line.push_str(&word);
                room -= needed;
            }
            _ => {
                room = (limit + 1).saturating_sub(needed);
                lines.push(word);
            }
        }
    }
    lines
}

/// Appends lines that are wrapped and stand back by `indent` cells.
pub(super) fn push_wrapped(text: &mut String, content: &str, indent: usize, style: &Style) {
    for line in wrap(content, style.width.saturating_sub(indent), style) {
        text.extend(std::iter::repeat_n(' ', indent));
        text.push_str(&line);
        text.push('\n');
    }
}

/// Appends notes after a blank line, a paragraph each.
pub(super) fn push_notes(text: &mut String, notes: &[impl AsRef<str>], style: &Style) {
    if !notes.is_empty() {
        text.push('\n');
    }
    for note in notes {
        push_wrapped(text, &format!("note: {}", visible(note.as_ref().trim(), style)), 0, style);
    }
}

/// Appends which columns a table had no room for; one without a title, of bars, is not missed.
pub(super) fn push_left_out(text: &mut String, left_out: &[&str], style: &Style) {
    let titles: Vec<&str> = left_out.iter().copied().filter(|title| !title.is_empty()).collect();
    if !titles.is_empty() {
        push_wrapped(text, &format!("not in {} columns: {}", style.width, titles.join(", ")), 0, style);
    }
}

fn cut_mark(limit: usize, style: &Style) -> &'static str {
    match (limit, style.unicode) {
        (0, _) => "",
        (_, true) => "…",
        (1, false) => ".",
        (_, false) => "..",
    }
}

/// The longest start of the text that takes at most `limit` cells.
fn start(text: &str, limit: usize) -> &str {
    let mut taken = 0;
    let mut before = None;
    for (index, character) in text.char_indices() {
        taken += advance(before.replace(character), character);
        if taken > limit {
            return &text[..index];
        }
    }
    text
}

/// The longest end of the text that takes at most `limit` cells.
fn end(text: &str, limit: usize) -> &str {
    let excess = width(text).saturating_sub(limit);
    let mut left_out = 0;
    let mut before = None;
    for (index, character) in text.char_indices() {
        let advance = advance(before.replace(character), character);
        // Not before a mark that would then join whatever stands in front.
        if left_out >= excess && advance > 0 {
            return &text[index..];
        }
        left_out += advance;
    }
    ""
}

/// Whether the character joins the one before it (a grapheme extender, or the joiner of emoji). The standard library has the table, and shows
/// it in what it escapes: such a character only at the start of a text.
fn joins(character: char) -> bool {
    if character == JOINER {
        return true;
    }
    let mut buffer = [b'a'; 5];
    let length = 1 + character.encode_utf8(&mut buffer[1..]).len();
    let pair = str::from_utf8(&buffer[..length]).expect("both characters are UTF-8");
    character.escape_debug().len() > 1 && pair.chars().eq(pair.escape_debug())
}

/// Cells by which the character moves on.
fn advance(before: Option<char>, character: char) -> usize {
    const EMOJI_PRESENTATION: char = '\u{fe0f}';
    const SKIN_TONES: std::ops::RangeInclusive<char> = '\u{1f3fb}'..='\u{1f3ff}';
    match (before, character) {
        (_, ' '..='~') => 1,
        (Some(JOINER), _) => 0,
        (Some(before), EMOJI_PRESENTATION) => usize::from(advance(None, before) == 1),
        (Some(before), tone) if SKIN_TONES.contains(&tone) && is_wide(before) => 0,
        (Some(_), '\u{1160}'..='\u{11ff}') => 0,
        _ if joins(character) => 0,
        _ if is_wide(character) => 2,
        _ => 1,
    }
}

fn is_wide(character: char) -> bool {
    let place = WIDE.partition_point(|&(_, last)| last < character);
    WIDE.get(place).is_some_and(|&(first, _)| first <= character)
}

/// Characters whose East Asian width is W or F (Unicode Standard Annex 11), gaps of unassigned ones closed.
#[rustfmt::skip]
const WIDE: &[(char, char)] = &[
    ('\u{1100}', '\u{115f}'), ('\u{231a}', '\u{231b}'), ('\u{2329}', '\u{232a}'), ('\u{23e9}', '\u{23ec}'),
    ('\u{23f0}', '\u{23f0}'), ('\u{23f3}', '\u{23f3}'), ('\u{25fd}', '\u{25fe}'), ('\u{2614}', '\u{2615}'),
    ('\u{2648}', '\u{2653}'), ('\u{267f}', '\u{267f}'), ('\u{2693}', '\u{2693}'), ('\u{26a1}', '\u{26a1}'),
    ('\u{26aa}', '\u{26ab}'), ('\u{26bd}', '\u{26be}'), ('\u{26c4}', '\u{26c5}'), ('\u{26ce}', '\u{26ce}'),
    ('\u{26d4}', '\u{26d4}'), ('\u{26ea}', '\u{26ea}'), ('\u{26f2}', '\u{26f3}'), ('\u{26f5}', '\u{26f5}'),
    ('\u{26fa}', '\u{26fa}'), ('\u{26fd}', '\u{26fd}'), ('\u{2705}', '\u{2705}'), ('\u{270a}', '\u{270b}'),
    ('\u{2728}', '\u{2728}'), ('\u{274c}', '\u{274c}'), ('\u{274e}', '\u{274e}'), ('\u{2753}', '\u{2755}'),
    ('\u{2757}', '\u{2757}'), ('\u{2795}', '\u{2797}'), ('\u{27b0}', '\u{27b0}'), ('\u{27bf}', '\u{27bf}'),
    ('\u{2b1b}', '\u{2b1c}'), ('\u{2b50}', '\u{2b50}'), ('\u{2b55}', '\u{2b55}'), ('\u{2e80}', '\u{303e}'),
    ('\u{3041}', '\u{3247}'), ('\u{3250}', '\u{4dbf}'), ('\u{4e00}', '\u{a4cf}'), ('\u{a960}', '\u{a97f}'),
    ('\u{ac00}', '\u{d7a3}'), ('\u{f900}', '\u{faff}'), ('\u{fe10}', '\u{fe6f}'), ('\u{ff01}', '\u{ff60}'),
    ('\u{ffe0}', '\u{ffe6}'), ('\u{16fe0}', '\u{1b2ff}'), ('\u{1f004}', '\u{1f004}'), ('\u{1f0cf}', '\u{1f0cf}'),
    ('\u{1f18e}', '\u{1f18e}'), ('\u{1f191}', '\u{1f19a}'), ('\u{1f200}', '\u{1f320}'), ('\u{1f32d}', '\u{1f335}'),
    ('\u{1f337}', '\u{1f37c}'), ('\u{1f37e}', '\u{1f393}'), ('\u{1f3a0}', '\u{1f3ca}'), ('\u{1f3cf}', '\u{1f3d3}'),
    ('\u{1f3e0}', '\u{1f3f0}'), ('\u{1f3f4}', '\u{1f3f4}'), ('\u{1f3f8}', '\u{1f43e}'), ('\u{1f440}', '\u{1f440}'),
    ('\u{1f442}', '\u{1f4fc}'), ('\u{1f4ff}', '\u{1f53d}'), ('\u{1f54b}', '\u{1f54e}'), ('\u{1f550}', '\u{1f567}'),
    ('\u{1f57a}', '\u{1f57a}'), ('\u{1f595}', '\u{1f596}'), ('\u{1f5a4}', '\u{1f5a4}'), ('\u{1f5fb}', '\u{1f64f}'),
    ('\u{1f680}', '\u{1f6c5}'), ('\u{1f6cc}', '\u{1f6cc}'), ('\u{1f6d0}', '\u{1f6d2}'), ('\u{1f6d5}', '\u{1f6df}'),
    ('\u{1f6eb}', '\u{1f6ef}'), ('\u{1f6f4}', '\u{1f6ff}'), ('\u{1f7e0}', '\u{1f7ff}'), ('\u{1f90c}', '\u{1f93a}'),
    ('\u{1f93c}', '\u{1f945}'), ('\u{1f947}', '\u{1f9ff}'), ('\u{1fa70}', '\u{1faff}'), ('\u{20000}', '\u{3fffd}'),
];
