//! Just enough of HTML to check the report's: strict where browsers forgive.

use std::collections::HashMap;

/// An element, in document order.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: String,
    pub(super) attributes: HashMap<String, String>,
    /// Names of the elements it is in, with their index, outermost first.
    pub(super) ancestors: Vec<usize>,
    /// All text in it.
    pub(super) text: String,
}

impl Element {
    pub(super) fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute).map(String::as_str)
    }

    pub(super) fn has_class(&self, class: &str) -> bool {
        self.get("class").is_some_and(|classes| classes.split(' ').any(|own| own == class))
    }
}

/// The elements of a page.
pub(super) struct Page {
    pub(super) elements: Vec<Element>,
}

const VOID: [&str; 4] = ["meta", "link", "input", "br"];

impl Page {
    /// Panics when tags do not nest, an attribute repeats or has no quotes, or a `<` or `&` is not markup.
    pub(super) fn parse(html: &str) -> Self {
        let mut rest = html.strip_prefix("<!DOCTYPE html>").expect("a document type");
        let mut elements: Vec<Element> = Vec::new();
        let mut open: Vec<usize> = Vec::new();
        while let Some(start) = rest.find('<') {
            let text = unescaped(&rest[..start]);
            for &index in &open {
                elements[index].text.push_str(&text);
            }
            rest = &rest[start..];
            if let Some(closing) = rest.strip_prefix("</") {
                let (name, after) = closing.split_once('>').expect("a tag ends");
                let index = open.pop().unwrap_or_else(|| panic!("`</{name}>` closes nothing"));
                assert_eq!(elements[index].name, name, "tags nest");
                rest = after;
                continue;
            }
            let (element, after, is_closed) = opening(rest, &open);
            rest = after;
            let name = element.name.clone();
            elements.push(element);
            if is_closed || VOID.contains(&name.as_str()) {
                continue;
            }
            open.push(elements.len() - 1);
            if matches!(name.as_str(), "style" | "script") {
                let end = rest.find(&format!("</{name}>")).expect("raw text ends");
                elements.last_mut().unwrap().text.push_str(&rest[..end]);
                rest = &rest[end..];
            }
        }
        assert_eq!(open, [] as [usize; 0], "every tag is closed");
        assert_eq!(rest.trim(), "");
        Self { elements }
    }

    pub(super) fn by_id(&self, id: &str) -> Option<&Element> {
        self.elements.iter().find(|element| element.get("id") == Some(id))
    }

    /// The elements within another one that `wanted` accepts.
    pub(super) fn within(&self, outer: &Element, wanted: impl Fn(&Element) -> bool) -> Vec<&Element> {
        let outer = self.elements.iter().position(|element| std::ptr::eq(element, outer)).unwrap();
        self.elements.iter().filter(|element| element.ancestors.contains(&outer) && wanted(element)).collect()
    }

    /// The section of a feature.
    pub(super) fn section(&self, feature: &str) -> &Element {
        let is_section = |element: &&Element| {
            element.name == "details" && element.has_class("feature") && element.get("data-feature") == Some(feature)
        };
        self.elements.iter().find(is_section).unwrap_or_else(|| panic!("no section of {feature:?}"))
    }

    /// The texts of the cells of a table in the section of a feature, row by row, its body alone.
    pub(super) fn table(&self, feature: &str, class: &str) -> Vec<Vec<&str>> {
        let section = self.section(feature);
        let tables = self.within(section, |element| element.name == "table" && element.has_class(class));
        let [table] = tables.as_slice() else { panic!("{} tables `{class}` of {feature:?}", tables.len()) };
        self.rows(table)
    }

    pub(super) fn rows(&self, table: &Element) -> Vec<Vec<&str>> {
        let [body] = self.within(table, |element| element.name == "tbody")[..] else { panic!("no body") };
        let rows = self.within(body, |element| element.name == "tr");
        let is_cell = |element: &Element| matches!(element.name.as_str(), "td" | "th");
        rows.into_iter()
            .map(|row| self.within(row, is_cell).into_iter().map(|cell| cell.text.trim()).collect())
            .collect()
    }

    /// The names in `data-feature` of the items of a list.
    pub(super) fn listed(&self, id: &str) -> Vec<&str> {
        let list = self.by_id(id).unwrap_or_else(|| panic!("no `#{id}`"));
        let items = self.within(list, |element| element.name == "li");
        items.into_iter().map(|item| item.get("data-feature").unwrap()).collect()
    }
}

fn opening<'a>(tag: &'a str, open: &[usize]) -> (Element, &'a str, bool) {
    let end_of_name = tag.find([' ', '>', '/']).expect("a tag ends");
    let mut element = Element {
        name: tag[1..end_of_name].to_owned(),
        attributes: HashMap::new(),
        ancestors: open.to_vec(),
        text: String::new(),
    };
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '-');
    assert!(is_name(&element.name), "a stray `<`: {}", tag.chars().take(40).collect::<String>());
    let mut rest = &tag[end_of_name..];
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix("/>") {
            return (element, after, true);
        }
        if let Some(after) = rest.strip_prefix('>') {
            return (element, after, false);
        }
        let end = rest.find(['=', ' ', '>']).expect("an attribute ends");
        let name = rest[..end].to_owned();
        assert!(is_name(&name) || name == "viewBox", "attribute {name:?} of {}", element.name);
        rest = &rest[end..];
        let mut value = String::new();
        if let Some(quoted) = rest.strip_prefix("=\"") {
            let (raw, after) = quoted.split_once('"').expect("an attribute's value ends");
            value = unescaped(raw);
            rest = after;
        } else {
            assert!(!rest.starts_with('='), "an attribute without quotes");
        }
        assert!(element.attributes.insert(name, value).is_none(), "an attribute stands once");
    }
}

fn unescaped(text: &str) -> String {
    let mut result = String::new();
    let mut parts = text.split('&');
    result.push_str(parts.next().unwrap());
    for part in parts {
        let (entity, after) = part.split_once(';').expect("`&` begins an entity");
        let code = entity.strip_prefix('#').and_then(|code| code.parse().ok()).and_then(char::from_u32);
        result.push(code.unwrap_or_else(|| match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            _ => panic!("entity {entity}"),
        }));
        result.push_str(after);
    }
    result
}
