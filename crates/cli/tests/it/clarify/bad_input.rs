//! What cannot be analysed, each with its message.

use super::linear;
use crate::program::Folder;

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("data.csv", "sex,x,y\nF,1,1\nM,2,0\nF,3,1\n");
    folder.write("numbers.csv", "x,y\n1,1\n2,0\n");
    folder.write("base/analysis.json", "{\"version\": \"1.0\"}");
    folder.write("misspelt.json", "{\"methods\": {\"shap\": {\"nsamples\": 3}}}");
    folder
}

fn refusal(folder: &Folder, words: &[&str]) -> String {
    folder.run(words).ended(2).stderr
}

#[test]
fn of_bias() {
    let folder = folder();
    let good = ["--label", "y", "--positive", "1", "--facet", "sex=F"];
    for (words, message) in [
        (&["bias", "data.csv", "--label", "z", "--positive", "1", "--facet", "sex"][..], "Headers must contain label."),
        (&["bias", "data.csv", "--label", "y", "--positive", "1", "--facet", "age"], "Unable to locate the facet."),
        (&["bias", "data.csv", "--positive", "1", "--facet", "sex"], "label"),
        (
            &["bias", "data.csv", "--config", "misspelt.json"],
            "misspelt.json: Analysis configuration schema validation error. unknown field `methods.shap.nsamples`",
        ),
        (&["bias", "data.csv", "--metrics", "XX"], "--metrics has no metric `XX`; there are CDDL, CI, "),
        (&["bias", "data.csv", "--threshold", "nan"], "--threshold is NaN, expected a number such as 0.5"),
        (&["bias", "nothing.csv"], "nothing.csv"),
        (&["bias", "base/analysis.json", "--config", "none.json"], "none.json"),
        (&["bias", "check", "data.csv", "--baseline", "misspelt"], "misspelt"),
    ] {
        let stderr = refusal(&folder, words);
        assert!(stderr.starts_with("Error: ") && stderr.contains(message), "{words:?}: {stderr}");
    }
    let over = [&["bias", "check", "data.csv", "--baseline", "base/analysis.json", "-o", "base"][..], &good].concat();
    assert!(
        refusal(&folder, &over).contains("base is the folder of the baseline, whose analysis.json would be replaced")
    );
    let level = [&["bias", "check", "data.csv", "--baseline", "base", "--interval", "95"][..], &good].concat();
    assert!(refusal(&folder, &level).contains("--interval is 95, expected a level between 0 and 1 such as 0.95"));
    assert_eq!(folder.names("base"), ["analysis.json"]);
}

#[test]
fn of_models() {
    let folder = folder();
    let three_answers = "cat > /dev/null; echo 1; echo 2; echo 3";
    for (model, message) in [
        (three_answers, "3 "),
        ("cat > /dev/null; echo high; echo low", "high"),
        ("echo broken >&2; exit 3", "broken"),
        ("http://127.0.0.1:1/none", "127.0.0.1:1"),
        ("HTTP://127.0.0.1:1/none", "127.0.0.1:1: "),
        ("ftp://127.0.0.1/none", "it must be http://HOST"),
        (" ", "--model is empty, expected a URL or a command"),
    ] {
        let words = ["explain", "numbers.csv", "--label", "y", "--num-clusters", "1", "--model", model, "-o", "out"];
        let stderr = refusal(&folder, &words);
        assert!(stderr.contains("Error: ") && stderr.contains(message), "{model}: {stderr}");
        assert!(!folder.has("out/analysis.json"), "{model}");
    }
    let no_model = refusal(&folder, &["explain", "numbers.csv", "--label", "y"]);
    assert!(no_model.contains("no --model, and no model is named by a configuration"), "{no_model}");
    let model = linear(&[1.0]);
    let unknown =
        ["explain", "numbers.csv", "--label", "y", "--features", "z", "--num-clusters", "1", "--model", &model];
    assert!(refusal(&folder, &unknown).contains("Feature names not found."));
    let both = ["explain", "numbers.csv", "--baseline-rows", "f", "--num-clusters", "1", "--model", &model];
    assert!(refusal(&folder, &both).contains("cannot be used with"));
}

/// What is wrong with partial dependence is said before the model is asked for anything.
#[test]
fn of_partial_dependence() {
    let folder = folder();
    let model = format!("touch asked; {}", linear(&[1.0]));
    for (asked_for, message) in [
        (&["--pdp", "z"][..], "Feature names not found. features of pdp"),
        (
            &["--pdp=x", "--grid-resolution", "4000000000"],
            "grid_resolution of pdp is 4000000000, expected 10000 at most",
        ),
    ] {
        let words = ["explain", "numbers.csv", "--label", "y", "--num-clusters", "1", "--model", &model];
        let stderr = refusal(&folder, &[&words[..], asked_for].concat());
        assert!(stderr.contains(message), "{stderr}");
        assert!(!folder.has("asked"), "{stderr}");
    }
}
