//! Enough of XML for whoever calls S3, STS and IAM: elements of answers by name, their texts, and texts for requests.
//!
//! Those answers have neither comments nor sections, an element is in none of the same name, and `<` in a text is escaped: so an
//! element ends where its name is closed next. Decided against: an XML crate, for a handful of names.

use std::borrow::Cow;

/// The longest name of an escape, with its end: what is sought further makes a text of many `&` take for ever.
const LONGEST_ESCAPE: usize = 12;

/// What is in the first element of this name; none when there is none, or when it is empty in its short form.
pub fn element<'t>(document: &'t str, name: &str) -> Option<&'t str> {
    elements(document, name).next()
}

/// What is in each element of this name.
pub fn elements<'t>(document: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
    let open = format!("<{name}");
    let close = format!("</{name}>");
    let mut rest = document;
    std::iter::from_fn(move || {
        loop {
            let (_, behind) = rest.split_once(&open)?;
            rest = behind;
            // Another name may begin the same way, and a short form has no inside.
            if !behind.starts_with(['>', ' ', '\n', '\r', '\t']) {
                continue;
            }
            let (attributes, inside) = behind.split_once('>')?;
            if attributes.ends_with('/') {
                continue;
            }
            let (inner, after) = inside.split_once(&close)?;
            rest = after;
            return Some(inner);
        }
    })
}

/// The text of each element of this name.
pub fn texts<'t>(document: &'t str, name: &str) -> impl Iterator<Item = Cow<'t, str>> {
    elements(document, name).map(unescape)
}

/// The text of the first element of this name.
pub fn text<'t>(document: &'t str, name: &str) -> Option<Cow<'t, str>> {
    texts(document, name).next()
}

/// A text with its characters in place of their escapes; what is no escape stays.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut whole = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('&') {
        whole.push_str(before);
        let end = behind.bytes().take(LONGEST_ESCAPE).position(|byte| byte == b';');
        let escape = end.and_then(|end| Some((character(&behind[..end])?, &behind[end + 1..])));
        let (character, after) = escape.unwrap_or(('&', behind));
        whole.push(character);
        rest = after;
    }
    whole.push_str(rest);
    Cow::Owned(whole)
}

/// The character of an escape's name.
fn character(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix(['x', 'X']) {
                Some(number) => u32::from_str_radix(number, 16),
                None => number.parse(),
            };
            char::from_u32(number.ok()?)
        }
    }
}

/// A text as an element can hold it.
pub fn escape(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    push_escaped(&mut whole, text);
    whole
}

/// Adds a text as XML can hold it: markup escaped, carriage returns kept from being read as line feeds, and characters that
/// XML has no place for replaced.
pub(crate) fn push_escaped(xml: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '&' => xml.push_str("&amp;"),
            '"' => xml.push_str("&quot;"),
            '\r' => xml.push_str("&#13;"),
            '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => xml.push('\u{fffd}'),
            _ => xml.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer as S3 documents it (`ListObjectsV2`, shortened).
    const LISTING: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
        <Name>quotes</Name><Prefix/><KeyCount>2</KeyCount><IsTruncated>false</IsTruncated>\
        <Contents><Key>a &amp; b&#x2F;c.txt</Key><ETag>&quot;fba9&quot;</ETag><Size>434234</Size></Contents>\
        <Contents>\n  <Key>d</Key><Size>0</Size></Contents></ListBucketResult>";

    #[test]
    fn elements_are_found_by_their_whole_name() {
        assert_eq!(text(LISTING, "Name").as_deref(), Some("quotes"));
        assert_eq!(text(LISTING, "Key").as_deref(), Some("a & b/c.txt"));
        assert_eq!(text(LISTING, "Prefix"), None);
        assert_eq!(text(LISTING, "Nam"), None);
        let sizes: Vec<_> = elements(LISTING, "Contents").filter_map(|object| text(object, "Size")).collect();
        assert_eq!(sizes, ["434234", "0"]);
        assert!(element(LISTING, "ListBucketResult").is_some_and(|inner| inner.starts_with("<Name>")));
        assert_eq!(element("<Key>never closed", "Key"), None);
    }

    #[test]
    fn escapes_are_undone_once_and_what_is_none_stays() {
        assert_eq!(unescape("&amp;lt; &#65;&#x42; & &nothing; &#xD800;"), "&lt; AB & &nothing; &#xD800;");
        assert_eq!(unescape(&escape("<a & \"b\">")), "<a & \"b\">");
        let many = "&".repeat(4 << 20);
        assert!(unescape(&many) == many);
    }
}
