//! The example of a whole story in one process, which is its Python twin's: what both print is in the README.

#[path = "../../examples/local_monitor.rs"]
#[allow(dead_code, reason = "the example's `main` is the test's")]
mod example;

use watchkeeper::Session;

const README: &str = include_str!("../../../../README.md");

#[tokio::test]
async fn it_finds_what_the_readme_shows() {
    let session = Session::builder().progress(|_| {}).local().await.unwrap();
    let found = example::violations(&session).await.unwrap();
    assert_eq!(found.len(), 4, "{found:#?}");
    for line in found {
        // Lines of the README end in an ellipsis where they are too long.
        let feature_and_check = line.splitn(3, ": ").take(2).collect::<Vec<_>>().join(": ");
        let shown = README.lines().find(|shown| shown.starts_with(&feature_and_check)).unwrap();
        assert!(line.starts_with(shown.trim_end_matches('…').trim_end()), "{line}\nis not\n{shown}");
    }
}
