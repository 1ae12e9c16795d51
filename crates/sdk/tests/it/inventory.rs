//! The table `docs/inventory.md` against what the Python package has (`inventory.json`, which a script reads out of the package)
//! and against the public items of this crate (`public-api.txt`, which a step of the test command compares with the crate).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use serde::Deserialize;

const TABLE: &str = include_str!("../../docs/inventory.md");
const PACKAGE: &str = include_str!("../inventory.json");
const PUBLIC_API: &str = include_str!("../../public-api.txt");
/// So many rows has the inventory of the module's reference text; each has a number.
const NUMBERED_ROWS: u32 = 98;
/// What a row without an item has in its place.
const NO_ITEM: &str = "—";

#[derive(Deserialize)]
struct PythonClass {
    class: String,
    bases: Vec<String>,
    constructor: Vec<Vec<String>>,
    attributes: Vec<String>,
    members: Vec<PythonMember>,
}

#[derive(Deserialize)]
struct PythonMember {
    name: String,
    kind: String,
    #[serde(default)]
    parameters: Vec<Vec<String>>,
}

fn package() -> Vec<PythonClass> {
    serde_json::from_str(PACKAGE).unwrap()
}

/// A row of the table.
struct Row<'a> {
    number: &'a str,
    kind: &'a str,
    /// None where the crate has no such thing.
    items: Vec<Item<'a>>,
    remarks: &'a str,
}

/// An item as the table names it: its path in the crate and, of a function, its arguments.
struct Item<'a> {
    path: &'a str,
    arguments: Option<Vec<&'a str>>,
}

impl Row<'_> {
    /// Whether a remark is about this parameter, attribute or member: its name stands before a colon.
    fn speaks_of(&self, name: &str) -> bool {
        subjects(self.remarks).contains(&name)
    }
}

impl<'a> Item<'a> {
    fn of(text: &'a str) -> Self {
        let (path, arguments) = text.trim_end_matches(')').split_once('(').map_or((text, None), |(path, arguments)| {
            (path, Some(arguments.split(", ").filter(|argument| !argument.is_empty()).collect()))
        });
        Self { path, arguments }
    }
}

/// What remarks are about: `a` and `b` in "`a`, `b`: ...; ...".
fn subjects(remarks: &str) -> Vec<&str> {
    remarks.split("; ").filter_map(|remark| remark.split_once("`: ")).flat_map(|(names, _)| quoted(names)).collect()
}

/// The texts between backticks; one that is not closed goes to the end.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// Rows by what they are about: `ModelMonitor`, `ModelMonitor.attach`.
fn rows() -> BTreeMap<&'static str, Row<'static>> {
    let mut rows = BTreeMap::new();
    for line in TABLE.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #")) {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, python, kind, rust, remarks] = cells[..] else { panic!("not five cells: {line}") };
        let items: Vec<_> = quoted(rust).into_iter().map(Item::of).collect();
        assert_eq!(items.is_empty(), rust == NO_ITEM, "{python} has an item or {NO_ITEM}");
        let row = Row { number, kind, items, remarks };
        assert!(rows.insert(python.trim_matches('`'), row).is_none(), "{python} has two rows");
    }
    rows
}

/// Whom the list above the tables is about: what holds in all rows.
fn general_subjects() -> Vec<&'static str> {
    TABLE.lines().filter_map(|line| line.strip_prefix("- ")).flat_map(subjects).collect()
}

/// What one public item says of itself.
#[derive(Default)]
struct Signature {
    /// How many arguments a function takes beside `self`.
    arguments: Option<usize>,
    returned: String,
}

/// The public items of the crate by their paths, without the name of the crate and without generics.
struct PublicApi {
    items: BTreeMap<String, Signature>,
    /// What a name for a type stands for.
    aliases: BTreeMap<String, String>,
}

impl PublicApi {
    fn read() -> Self {
        let mut api = Self { items: BTreeMap::new(), aliases: BTreeMap::new() };
        for line in PUBLIC_API.lines().filter(|line| !line.starts_with("impl")) {
            let plain = without_generics(line).replace("watchkeeper::", "");
            let Some((_, item)) = plain.split_once("pub ") else { continue };
            let (is_function, item) = item.split_once("fn ").map_or((false, item), |(_, function)| (true, function));
            let is_keyword = |word: &&str| ["const", "struct", "enum", "mod", "type", "trait", "use"].contains(word);
            let path = item.split([' ', '(']).find(|word| !is_keyword(word)).unwrap().trim_end_matches(':');
            if let Some((_, target)) = item.split_once(" = ").filter(|_| item.starts_with("type ")) {
                api.aliases.insert(path.to_owned(), target.to_owned());
            }
            let signature = if is_function { call(item) } else { Signature::default() };
            api.items.insert(path.to_owned(), signature);
        }
        api
    }

    /// The whole path of an item, which may go through a name for a type or leave out the module that a monitor's requests are in.
    fn resolve(&self, path: &str) -> Option<String> {
        if self.items.contains_key(path) {
            return Some(path.to_owned());
        }
        let (owner, name) = path.rsplit_once("::")?;
        let through_alias = self.aliases.get(owner).map(|target| format!("{target}::{name}"));
        if let Some(path) = through_alias.filter(|path| self.items.contains_key(path)) {
            return Some(path);
        }
        let (module, rest) = path.split_once("::")?;
        let depth = path.matches("::").count() + 1;
        let (head, tail) = (format!("{module}::"), format!("::{rest}"));
        let fits = |known: &&String| {
            known.matches("::").count() == depth && known.starts_with(&head) && known.ends_with(&tail)
        };
        self.items.keys().find(fits).cloned()
    }

    fn has(&self, path: &str) -> bool {
        self.resolve(path).is_some()
    }

    /// Whether a parameter can be given to the item: as an argument, or as a setter or field of it, of what it makes, or of the
    /// request that it returns.
    fn takes(&self, item: &Item<'_>, parameter: &str) -> bool {
        let Some(path) = self.resolve(item.path) else { return false };
        let returned = &self.items[&path].returned;
        let owner = path.rsplit_once("::").map_or("", |(owner, _)| owner);
        let makes_owner = returned.ends_with("Self") || returned == owner;
        item.arguments.iter().flatten().any(|argument| *argument == parameter)
            || self.items.contains_key(&format!("{path}::{parameter}"))
            || self.items.contains_key(&format!("{returned}::{parameter}"))
            || (makes_owner && self.items.contains_key(&format!("{owner}::{parameter}")))
    }

    /// Whether a type has this member, itself or through the job that it stands for.
    fn has_member(&self, owner: &str, member: &str) -> bool {
        let behind = self.resolve(&format!("{owner}::deref"));
        let behind = behind.map(|path| self.items[&path].returned.trim_start_matches('&').to_owned());
        self.has(&format!("{owner}::{member}")) || behind.is_some_and(|target| self.has(&format!("{target}::{member}")))
    }
}

/// A function's arguments, which the list of public items gives without their names, and what it returns.
fn call(function: &str) -> Signature {
    let Some((_, rest)) = function.split_once('(') else { return Signature::default() };
    let (arguments, rest) = up_to_closing(rest);
    let beside_itself = split_arguments(arguments).filter(|argument| !argument.ends_with("self"));
    let returned =
        rest.split(" where ").next().and_then(|rest| rest.strip_prefix(" -> ")).unwrap_or_default().to_owned();
    Signature { arguments: Some(beside_itself.count()), returned }
}

/// The text before and after the parenthesis that closes what was opened before it.
fn up_to_closing(text: &str) -> (&str, &str) {
    let mut depth = 1_i32;
    let closes = |character: char| {
        depth += i32::from(character == '(') - i32::from(character == ')');
        depth == 0
    };
    let end = text.find(closes).unwrap_or_else(|| panic!("not closed: {text}"));
    (&text[..end], &text[end + 1..])
}

/// Splits at the commas that are in no tuple and no array.
fn split_arguments(arguments: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    let separates = move |character: char| {
        depth += i32::from("([".contains(character)) - i32::from(")]".contains(character));
        depth == 0 && character == ','
    };
    arguments.split(separates).map(str::trim).filter(|argument| !argument.is_empty())
}

/// The text without what stands between angle brackets; arrows are none.
fn without_generics(text: &str) -> String {
    let mut depth = 0_u32;
    let mut before = ' ';
    let mut kept = String::new();
    for character in text.chars() {
        match character {
            '<' => depth += 1,
            '>' if before != '-' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(character),
            _ => {}
        }
        before = character;
    }
    kept
}

/// The names of the arguments of every function in the sources, which the list of public items does not have.
fn arguments_in_sources() -> BTreeSet<(String, Vec<String>)> {
    let mut found = BTreeSet::new();
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else {
                found.extend(fs::read_to_string(path).unwrap().split("fn ").skip(1).filter_map(named_arguments));
            }
        }
    }
    found
}

/// The function's name and those of its arguments, where the text begins with a function's signature.
fn named_arguments(text: &str) -> Option<(String, Vec<String>)> {
    let signature = without_generics(text.split(['{', ';']).next()?);
    let (name, rest) = signature.split_once('(').filter(|(_, rest)| rest.contains(')'))?;
    let named = split_arguments(up_to_closing(rest).0).filter_map(|argument| argument.split_once(": "));
    Some((name.to_owned(), named.map(|(name, _)| name.trim_start_matches("mut ").to_owned()).collect()))
}

fn assert_none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn every_numbered_row_is_there_once() {
    let mut numbers: Vec<u32> = rows().values().filter_map(|row| row.number.parse().ok()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=NUMBERED_ROWS).collect::<Vec<_>>());
}

#[test]
fn every_class_and_member_of_the_package_has_a_row_and_no_row_is_of_anything_else() {
    let rows = rows();
    let mut wrong = Vec::new();
    let mut known = BTreeSet::new();
    let mut compare = |name: String, kind: &str| {
        match rows.get(name.as_str()) {
            None => wrong.push(format!("{name} has no row")),
            Some(row) if row.kind != kind => wrong.push(format!("{name} is a {kind}, not a {}", row.kind)),
            Some(_) => {}
        }
        known.insert(name);
    };
    for class in package() {
        compare(class.class.clone(), if class.constructor.is_empty() { "class" } else { "constructor" });
        for member in class.members {
            compare(format!("{}.{}", class.class, member.name), &member.kind);
        }
    }
    wrong
        .extend(rows.keys().filter(|name| !known.contains(**name)).map(|name| format!("{name} is not in the package")));
    assert_none("classes and members", &wrong);
}

#[test]
fn every_item_of_the_table_is_in_the_crate_and_what_has_none_says_why() {
    let (api, arguments) = (PublicApi::read(), arguments_in_sources());
    let mut wrong = Vec::new();
    for (python, row) in rows() {
        if row.items.is_empty() && row.remarks.is_empty() {
            wrong.push(format!("{python} has no item and no reason"));
        }
        let in_remarks = quoted(row.remarks).into_iter().filter(|text| text.contains("::")).map(Item::of);
        for item in row.items.into_iter().chain(in_remarks) {
            let Some(path) = api.resolve(item.path) else {
                wrong.push(format!("{python}: there is no {}", item.path));
                continue;
            };
            let Some(named) = item.arguments else { continue };
            let name = path.rsplit("::").next().unwrap().to_owned();
            let counted = api.items[&path].arguments == Some(named.len());
            if !counted || !arguments.contains(&(name, named.iter().map(ToString::to_string).collect())) {
                wrong.push(format!("{python}: {} takes other arguments", item.path));
            }
        }
    }
    assert_none("items", &wrong);
}

#[test]
fn every_parameter_can_be_given_or_has_a_remark() {
    let (rows, api, general) = (rows(), PublicApi::read(), general_subjects());
    let mut wrong = Vec::new();
    let mut compare = |class: &PythonClass, python: &str, names: &[&str]| {
        let Some(row) = rows.get(python).filter(|row| !row.items.is_empty()) else { return };
        let has_place = |name: &&str| {
            general.contains(name) || row.speaks_of(name) || row.items.iter().any(|item| api.takes(item, name))
        };
        wrong.extend(names.iter().filter(|name| !has_place(name)).map(|name| format!("{python}: where is {name}?")));
        let strangers = subjects(row.remarks).into_iter().filter(|subject| !names.contains(subject));
        let strangers = strangers.filter(|subject| !inherits(class, subject));
        wrong.extend(strangers.map(|subject| format!("{python}: a remark is about {subject}, which it has not")));
    };
    for class in package() {
        let constructor = class.constructor.iter().map(|parameter| parameter[0].as_str());
        let names: Vec<_> = constructor.chain(class.attributes.iter().map(String::as_str)).collect();
        compare(&class, &class.class, &names);
        for member in &class.members {
            let names: Vec<_> = member.parameters.iter().map(|parameter| parameter[0].as_str()).collect();
            compare(&class, &format!("{}.{}", class.class, member.name), &names);
        }
    }
    assert_none("parameters", &wrong);
}

/// Whether the class has a member of this name from its bases.
fn inherits(class: &PythonClass, member: &str) -> bool {
    let bases = package().into_iter().filter(|it| class.bases.contains(&it.class));
    bases.flat_map(|base| base.members).any(|it| it.name == member)
}

#[test]
fn what_a_class_inherits_its_twin_has_too() {
    let (classes, rows, api) = (package(), rows(), PublicApi::read());
    let mut wrong = Vec::new();
    for class in &classes {
        let row = &rows[class.class.as_str()];
        let Some(twin) = row.items.first() else { continue };
        let twin = if twin.arguments.is_some() { twin.path.rsplit_once("::").unwrap().0 } else { twin.path };
        let mut seen: BTreeSet<&str> = class.members.iter().map(|member| member.name.as_str()).collect();
        for base in class.bases.iter().filter_map(|base| classes.iter().find(|it| it.class == *base)) {
            for member in base.members.iter().filter(|member| seen.insert(&member.name)) {
                let origin = &rows[format!("{}.{}", base.class, member.name).as_str()];
                let Some(name) = origin.items.first().and_then(|item| item.path.rsplit("::").next()) else { continue };
                if !api.has_member(twin, name) && !row.speaks_of(&member.name) {
                    wrong.push(format!("{} has {} of {}, {twin} has no {name}", class.class, member.name, base.class));
                }
            }
        }
    }
    assert_none("inherited members", &wrong);
}
