//! Enough of XML for the answers of S3, STS and IAM: elements by name, and their texts.
//!
//! Those answers have neither comments nor sections, an element is in none of the same name, and `<` in a text is escaped: so an
//! element ends where its name is closed next. Decided against: an XML crate, for a handful of names.

use std::borrow::Cow;

/// The longest name of an escape, with its end: what is sought further makes a text of many `&` take for ever.
const LONGEST_ESCAPE: usize = 12;

/// What is in the first element of this name; none when there is none, or when it is empty in its short form.
pub(in crate::session) fn element<'t>(document: &'t str, name: &str) -> Option<&'t str> {
    elements(document, name).next()
}

/// What is in each element of this name.
pub(in crate::session) fn elements<'t>(document: &'t str, name: &str) -> impl Iterator<Item = &'t str> {
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

/// The text of the first element of this name.
pub(in crate::session) fn text<'t>(document: &'t str, name: &str) -> Option<Cow<'t, str>> {
    element(document, name).map(unescape)
}

/// A text with its characters in place of their escapes; what is no escape stays.
pub(super) fn unescape(text: &str) -> Cow<'_, str> {
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

/// A text that may stand in an element.
pub(super) fn escape(text: &str) -> String {
    let mut whole = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => whole.push_str("&lt;"),
            '>' => whole.push_str("&gt;"),
            '&' => whole.push_str("&amp;"),
            '"' => whole.push_str("&quot;"),
            other => whole.push(other),
        }
    }
    whole
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
