//! Where settings come from, and which are refused.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;
use watchkeeper_service::Configuration;
use watchkeeper_service::configuration::{Error, Loaded, LogFormat, Origin, Role, Sources};

/// Variables.
type Variables<'a> = &'a [(&'a str, &'a str)];
/// Flags.
type Flags<'a> = &'a [(&'static str, &'a str)];
/// A file's text, variables, flags, and what the message has to name.
type Wrong<'a> = (Option<&'a str>, Variables<'a>, Flags<'a>, &'a [&'a str]);
/// A file's text, variables, flags, the port that comes of them, and the origin where it is not the file.
type Right<'a> = (Option<&'a str>, Variables<'a>, Flags<'a>, u16, Option<Origin>);

/// Loads from a file's text, variables and flags.
fn load(
    file: Option<&str>,
    variables: &[(&str, &str)],
    flags: &[(&'static str, &str)],
) -> (Result<Loaded, Error>, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("watchkeeper.toml");
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
    }
    let mut all: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    all.entry("HOME".to_owned()).or_insert_with(|| "/home/somebody".to_owned());
    let sources = Sources {
        flags: flags.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
        file: file.map(|_| path.clone()),
        variables: all,
    };
    (Configuration::load(&sources), path)
}

#[test]
fn flag_before_variable_before_file_before_default() {
    let file = "listen = '127.0.0.1:1'\n";
    let variable = ("WATCHKEEPER_LISTEN", "127.0.0.1:2");
    let flag = ("listen", "127.0.0.1:3");
    let cases: [Right<'_>; 4] = [
        (None, &[], &[], 8470, Some(Origin::Default)),
        (Some(file), &[], &[], 1, None),
        (Some(file), &[variable], &[], 2, Some(Origin::Variable("WATCHKEEPER_LISTEN".to_owned()))),
        (Some(file), &[variable], &[flag], 3, Some(Origin::Flag("listen".to_owned()))),
    ];
    for (file, variables, flags, port, origin) in cases {
        let (loaded, path) = load(file, variables, flags);
        let loaded = loaded.unwrap();
        assert_eq!(loaded.configuration.listen.port(), port);
        let setting = loaded.settings.iter().find(|setting| setting.key == "listen").unwrap();
        assert_eq!(setting.origin, origin.unwrap_or(Origin::File(path)));
        assert_eq!(setting.value, json!(format!("127.0.0.1:{port}")));
    }
}

#[test]
fn every_kind_of_value_can_be_a_variable() {
    let (loaded, _) = load(
        None,
        &[
            ("WATCHKEEPER_ROLES", "api, runner"),
            ("WATCHKEEPER_RUNNER_PARALLEL_JOBS", "3"),
            ("WATCHKEEPER_RUNNER_PROGRAM", "['/opt/a b', 'x,y']"),
            ("WATCHKEEPER_SCHEDULER_EXTENDED_EXPRESSIONS", "true"),
            ("WATCHKEEPER_LOG_FORMAT", "json"),
            ("WATCHKEEPER_DEFAULT_BUCKET", "my-bucket"),
            ("WATCHKEEPER_IMAGES", "[{ match = '*mine*', command = ['run'] }]"),
            ("WATCHKEEPER_ACCOUNT", "000000000042"),
        ],
        &[],
    );
    let configuration = loaded.unwrap().configuration;
    assert_eq!(configuration.roles, [Role::Api, Role::Runner]);
    assert_eq!(configuration.runner.parallel_jobs, 3);
    assert_eq!(configuration.runner.program, ["/opt/a b", "x,y"]);
    assert!(configuration.scheduler.extended_expressions);
    assert_eq!(configuration.log.format, LogFormat::Json);
    assert_eq!(configuration.default_bucket(), "my-bucket");
    assert_eq!(configuration.images[0].pattern, "*mine*");
    // Digits that are no number.
    assert_eq!(configuration.account, "000000000042");
}

#[test]
fn tables_of_a_file_are_merged_with_the_defaults() {
    let (loaded, _) = load(Some("[runner]\nparallel_jobs = 2\n[[images]]\nmatch = 'a'\nurl = 'http://x'\n"), &[], &[]);
    let configuration = loaded.unwrap().configuration;
    assert_eq!((configuration.runner.parallel_jobs, configuration.runner.keep_job_folders), (2, false));
    assert_eq!(configuration.images[0].url.as_deref(), Some("http://x"));
    assert_eq!(configuration.region, "us-east-1");
    assert_eq!(configuration.default_bucket(), "sagemaker-us-east-1-000000000000");
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let cases: [Wrong<'_>; 18] = [
        (Some("lisen = '1'\n"), &[], &[], &["watchkeeper.toml", "lisen", "line 1"]),
        (Some("[runner]\nparalel = 1\n"), &[], &[], &["paralel"]),
        (Some("[[images]]\nmatch = 'a'\nenv = {}\n"), &[], &[], &["env"]),
        (Some("listen = \n"), &[], &[], &["watchkeeper.toml", "line 1"]),
        (Some("roles = ['cook']\n"), &[], &[], &["cook"]),
        (None, &[("WATCHKEEPER_LISTEN", "here")], &[], &["WATCHKEEPER_LISTEN"]),
        (None, &[("WATCHKEEPER_RUNNER_PARALLEL_JOBS", "-1")], &[], &["WATCHKEEPER_RUNNER_PARALLEL_JOBS", "-1"]),
        (None, &[("WATCHKEEPER_PROXY_PASS_THROUGH", "yes")], &[], &["WATCHKEEPER_PROXY_PASS_THROUGH", "yes"]),
        (None, &[], &[("listen", "nowhere")], &["--listen"]),
        (Some("account = '12'\n"), &[], &[], &["account", "twelve digits"]),
        (Some("region = 'home'\n"), &[], &[], &["region", "home"]),
        (Some("roles = []\n"), &[], &[], &["roles"]),
        (None, &[("WATCHKEEPER_ACCESS_KEY_ID", "AKIA")], &[], &["secret_access_key"]),
        (Some("default_bucket = 'No Bucket'\n"), &[], &[], &["default_bucket"]),
        (None, &[("WATCHKEEPER_DATABASE_URL", "mysql://host/db")], &[], &["database.url", "postgresql://"]),
        (Some("database.max_connections = 0\n"), &[], &[], &["database.max_connections", "1 to 1000"]),
        (Some("master_key = 'a0'\n"), &[], &[], &["master_key", "64 hexadecimal digits"]),
        (
            Some("master_key_file = 'key'\n"),
            &[("WATCHKEEPER_MASTER_KEY", "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0")],
            &[],
            &["master_key", "there is `master_key_file` too"],
        ),
    ];
    for (file, variables, flags, parts) in cases {
        let error = load(file, variables, flags).0.unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "{part:?} is not in: {error}");
        }
    }
}

#[test]
fn a_file_that_is_not_there_is_an_error() {
    let sources = Sources { file: Some(PathBuf::from("/nowhere/watchkeeper.toml")), ..Sources::default() };
    assert!(Configuration::load(&sources).unwrap_err().to_string().contains("/nowhere/watchkeeper.toml"));
    let variables = BTreeMap::from([("WATCHKEEPER_CONFIG".to_owned(), "/nowhere/other.toml".to_owned())]);
    let error = Configuration::load(&Sources { variables, ..Sources::default() }).unwrap_err();
    assert!(error.to_string().contains("/nowhere/other.toml"));
}

#[test]
fn the_data_directory_is_the_platforms() {
    let of = |variables| load(None, variables, &[]).0.map(|loaded| loaded.configuration.data_dir);
    assert_eq!(of(&[("HOME", "/home/a")]).unwrap(), PathBuf::from("/home/a/.local/share/watchkeeper"));
    assert_eq!(of(&[("XDG_DATA_HOME", "/data")]).unwrap(), PathBuf::from("/data/watchkeeper"));
    assert_eq!(of(&[("WATCHKEEPER_DATA_DIR", "/mine")]).unwrap(), PathBuf::from("/mine"));
    assert!(matches!(of(&[("HOME", "")]), Err(Error::NoDataDirectory)));
}

#[test]
fn secrets_are_shown_nowhere() {
    let (loaded, _) = load(
        Some("[[images]]\nmatch = 'a'\nenvironment = { TOKEN = 'image-secret' }\n"),
        &[("WATCHKEEPER_ACCESS_KEY_ID", "AKIAMINE"), ("WATCHKEEPER_SECRET_ACCESS_KEY", "first-secret")],
        &[],
    );
    let loaded = loaded.unwrap();
    assert_eq!(loaded.configuration.secret_access_key.as_ref().unwrap().expose(), "first-secret");
    let shown = serde_json::to_string(&loaded.settings.iter().map(|s| &s.value).collect::<Vec<_>>()).unwrap();
    assert!(shown.contains("AKIAMINE") && shown.contains("TOKEN"), "{shown}");
    assert!(!shown.contains("first-secret") && !shown.contains("image-secret"), "{shown}");
    assert!(!format!("{:?}", loaded.configuration).contains("first-secret"));
}
