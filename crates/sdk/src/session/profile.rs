//! What the environment says: variables, and the shared files of the official SDKs, `~/.aws/config` and `~/.aws/credentials`.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files". Nothing here can be printed, as secrets are in it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Variables, of the process or given.
#[derive(Clone)]
pub(super) struct Environment(HashMap<String, String>);

impl Environment {
    pub(super) fn of_process() -> Self {
        let unicode =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self(unicode.collect())
    }

    pub(super) fn new(variables: HashMap<String, String>) -> Self {
        Self(variables)
    }

    /// A variable that is set to something.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The first of these that is set, or in lower case as proxies' are.
    pub(super) fn any(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.get(name))
    }

    pub(super) fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    fn home(&self) -> Option<&str> {
        self.any(&["HOME", "USERPROFILE"])
    }

    /// A path, where `~` is the home folder.
    pub(super) fn path(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/").or_else(|| text.strip_prefix("~\\")), self.home()) {
            (Some(rest), Some(home)) => Path::new(home).join(rest),
            _ => PathBuf::from(text),
        }
    }

    /// What is in one of the shared files: where its variable says, or in the home folder. One that is not there is empty; so is
    /// one in a home folder that is somebody else's, as in containers that run as any user.
    fn text_of(&self, variable: &str, name: &str) -> Result<String> {
        use std::io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
        let named = self.get(variable).map(|path| self.path(path));
        let is_named = named.is_some();
        let Some(path) = named.or_else(|| self.home().map(|home| Path::new(home).join(".aws").join(name))) else {
            return Ok(String::new());
        };
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == NotFound => Ok(String::new()),
            Err(error) if !is_named && matches!(error.kind(), PermissionDenied | NotADirectory) => Ok(String::new()),
            Err(source) => Err(Error::File { path, reason: source }),
        }
    }
}

/// The keys of a section; those of a group that is indented below a key are `group.key`.
type Section = HashMap<String, String>;

/// The sections of both files.
#[derive(Default)]
pub(super) struct SharedFiles {
    profiles: HashMap<String, Section>,
    /// Addresses of services, by the name that profiles have them under.
    services: HashMap<String, Section>,
}

impl SharedFiles {
    /// Reads what is there; a file that is not there has no profiles.
    pub(super) fn read(environment: &Environment) -> Result<Self> {
        let mut files = Self::default();
        for (title, section) in sections(&environment.text_of("AWS_CONFIG_FILE", "config")?) {
            match title.split_once(char::is_whitespace) {
                None if title == "default" => merge(&mut files.profiles, title, section),
                Some(("profile", name)) => merge(&mut files.profiles, unquoted(name), section),
                Some(("services", name)) => merge(&mut files.services, unquoted(name), section),
                _ => {}
            }
        }
        for (title, section) in sections(&environment.text_of("AWS_SHARED_CREDENTIALS_FILE", "credentials")?) {
            merge(&mut files.profiles, title, section);
        }
        Ok(files)
    }

    /// A profile by its name.
    pub(super) fn profile(&self, name: &str) -> Option<Profile<'_>> {
        let settings = self.profiles.get(name)?;
        let services = settings.get("services").and_then(|name| self.services.get(name));
        Some(Profile { settings, services })
    }

    /// A profile that somebody names, and that must be there therefore.
    pub(super) fn named(&self, name: &str) -> Result<Profile<'_>> {
        self.profile(name).ok_or_else(|| {
            let mut known: Vec<&str> = self.profiles.keys().map(String::as_str).collect();
            known.sort_unstable();
            let known = match known.as_slice() {
                [] => "which are not there or have none".to_owned(),
                known => format!("which have {}", known.join(", ")),
            };
            Error::Session(format!("there is no profile {name:?} in the shared files, {known}"))
        })
    }
}

/// One profile of both files.
#[derive(Clone, Copy)]
pub(super) struct Profile<'a> {
    settings: &'a Section,
    services: Option<&'a Section>,
}

impl<'a> Profile<'a> {
    /// A setting, such as `region`.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.settings.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The address of a service by its key in a `services` section, or the one of all.
    pub(super) fn endpoint_url(&self, service: &str) -> Option<&'a str> {
        let own = self.services.and_then(|services| services.get(&format!("{service}.endpoint_url")));
        own.map(String::as_str).or_else(|| self.get("endpoint_url"))
    }
}

fn merge(sections: &mut HashMap<String, Section>, name: String, section: Section) {
    sections.entry(name).or_default().extend(section);
}

/// The sections of a file in their order, with their titles as they are between the brackets.
fn sections(text: &str) -> Vec<(String, Section)> {
    let mut sections: Vec<(String, Section)> = Vec::new();
    // The key without a value that the lines below it, further to the right, belong to.
    let mut group: Option<(usize, String)> = None;
    // Editors of Windows write a mark before the first line.
    for line in text.trim_start_matches('\u{feff}').lines() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
            continue;
        }
        if let Some(title) = trimmed.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            sections.push((title.0.trim().to_owned(), Section::new()));
            group = None;
            continue;
        }
        let Some((_, section)) = sections.last_mut() else { continue };
        let Some((key, value)) = trimmed.split_once(['=', ':']) else { continue };
        let (key, value) = (key.trim().to_ascii_lowercase(), without_comment(value.trim()));
        let column = line.len() - line.trim_start().len();
        if let Some((_, group)) = group.as_ref().filter(|(above, _)| column > *above) {
            section.insert(format!("{group}.{key}"), value.to_owned());
        } else {
            group = value.is_empty().then(|| (column, key.clone()));
            section.insert(key, value.to_owned());
        }
    }
    sections
}

/// A name that may stand in quotes, as the command line writes it when it has blanks.
fn unquoted(name: &str) -> String {
    let name = name.trim();
    let inner = ['"', '\''].iter().find_map(|quote| name.strip_prefix(*quote)?.strip_suffix(*quote));
    inner.unwrap_or(name).to_owned()
}

/// A comment begins with a blank before it.
fn without_comment(value: &str) -> &str {
    let end = [" #", " ;", "\t#", "\t;"].iter().filter_map(|mark| value.find(mark)).min();
    value[..end.unwrap_or(value.len())].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_have_keys_and_groups() {
        let text = "# of ours\n[default]\nRegion = eu-west-1 # here\n\n[profile a b]\nservices = local\n[services local]\n\
                    s3 =\n  endpoint_url = http://one\nlogs=\n  endpoint_url=http://two\nplain = x;y\n";
        let sections = sections(text);
        let titles: Vec<&str> = sections.iter().map(|(title, _)| title.as_str()).collect();
        assert_eq!(titles, ["default", "profile a b", "services local"]);
        assert_eq!(sections[0].1["region"], "eu-west-1");
        assert_eq!(sections[2].1["s3.endpoint_url"], "http://one");
        assert_eq!(sections[2].1["logs.endpoint_url"], "http://two");
        assert_eq!(sections[2].1["plain"], "x;y");
    }

    /// As `botocore.configloader.load_config` reads them, but for the mark, which it refuses.
    #[test]
    fn files_of_other_editors_and_styles_are_read() {
        for text in
            ["\u{feff}[default]\nregion=x\n", "[default]\r\nregion = x\r\n", " [default]\n  region: x\n  output=json"]
        {
            assert_eq!(sections(text)[0].0, "default", "{text:?}");
            assert_eq!(sections(text)[0].1["region"], "x", "{text:?}");
        }
        let indented = sections("[default]\n  s3 =\n    a = b\n  region = x\n");
        assert_eq!((indented[0].1["s3.a"].as_str(), indented[0].1["region"].as_str()), ("b", "x"));
        let command = sections("[default]\ncredential_process = C:\\x --a=b \"c d\"\n");
        assert_eq!(command[0].1["credential_process"], "C:\\x --a=b \"c d\"");
        assert_eq!(["\"a b\"", "'c'", "d e", "\"f"].map(unquoted), ["a b", "c", "d e", "\"f"]);
    }
}
