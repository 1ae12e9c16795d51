//! Patterns of the models in the notation of the `regex` crate, which has no look-around.

use anyhow::{Result, bail};

/// Patterns with look-around, each with what matches the same texts without.
const REWRITTEN: &[(&str, &str)] = &[
    // Behind the name there is no hyphen: its last character is none.
    (
        r"(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:[a-z\-]*\/)?([a-zA-Z0-9]([a-zA-Z0-9-]){0,62})(?<!-)(\/[0-9]{1,9})?",
        r"(arn:aws[a-z\-]*:sagemaker:[a-z0-9\-]*:[0-9]{12}:[a-z\-]*/)?[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(/[0-9]{1,9})?",
    ),
    // Not two dots.
    (r"^(?!.*\..*\.)[a-zA-Z0-9][a-zA-Z0-9-_\.]*$", r"[a-zA-Z0-9][a-zA-Z0-9_-]*(\.[a-zA-Z0-9_-]*)?"),
    // What may not stand at the head holds a colon, which the class does not have.
    (r"^(?!s3:|https:)[a-zA-Z0-9!_.*'()/-]+$", r"[a-zA-Z0-9!_.*'()/-]+"),
];

/// The whole text has to match, as the services have it.
pub fn expression(pattern: &str) -> Result<String> {
    if let Some((_, rewritten)) = REWRITTEN.iter().find(|(original, _)| *original == pattern) {
        return Ok(format!(r"\A(?:{rewritten})\z"));
    }
    if ["(?=", "(?!", "(?<=", "(?<!"].iter().any(|look_around| pattern.contains(look_around)) {
        bail!("the pattern `{pattern}` looks around: write it without in {}", file!());
    }
    let inner = pattern.strip_prefix('^').unwrap_or(pattern);
    let inner = inner.strip_suffix('$').filter(|rest| !rest.ends_with('\\')).unwrap_or(inner);
    Ok(format!(r"\A(?:{})\z", ascii_classes(inner)))
}

/// `\d`, `\w`, `\s`, their opposites and `\p{Print}` are those of ASCII, as in Java.
fn ascii_classes(pattern: &str) -> String {
    let pattern = pattern.replace(r"\p{Print}", "[ -~]");
    let mut text = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('d') => text.push_str("[0-9]"),
            Some('D') => text.push_str("[^0-9]"),
            Some('w') => text.push_str("[0-9A-Za-z_]"),
            Some('W') => text.push_str("[^0-9A-Za-z_]"),
            Some('s') => text.push_str(r"[\t\n\x0B\f\r ]"),
            Some('S') => text.push_str(r"[^\t\n\x0B\f\r ]"),
            escaped => {
                text.push('\\');
                text.extend(escaped);
            }
        }
    }
    text
}
