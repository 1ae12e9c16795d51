//! Documents, configuration and contract of the Clarify monitors. Referees: recorded files of the real service, Python's `json.dumps` and
//! `repr`, and the specification's layout.

mod configuration;
mod documents;
mod job;

fn golden(name: &str) -> String {
    let goldens = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../analyzer/tests/goldens");
    std::fs::read_to_string(goldens.join(name)).unwrap()
}
