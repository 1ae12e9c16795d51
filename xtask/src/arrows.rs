//! The arrows between the crates, kept by a test: which crate may use which, and what the pure ones may use at all.
//!
//! The layers are those of `docs/architecture.md`. The test reads cargo's resolved graph rather than the manifests, so
//! that a dependency that comes in through another one is found as well. Dependencies of tests alone are free, save that
//! no crate may use a higher one even there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::workspace::cargo_metadata;

/// From the bottom up; a crate may use those before it.
const LAYERS: &[&str] = &[
    "watchkeeper-formats",
    "watchkeeper-engine",
    "watchkeeper-data",
    "watchkeeper-aws",
    "watchkeeper-analyzer",
    "watchkeeper-store",
    "watchkeeper-service",
    "watchkeeper-web",
    "watchkeeper",
    "watchkeeper-cli",
];

/// The crates that do not know where they run, and what must never come near them.
const SYNCHRONOUS: &[&str] = &["watchkeeper-formats", "watchkeeper-engine", "watchkeeper-data"];
const NEVER_IN_SYNCHRONOUS: &[&str] = &["tokio", "hyper", "sqlx", "datafusion"];

/// The crates without input and output, and all they may name as dependencies.
const PURE: &[&str] = &["watchkeeper-formats", "watchkeeper-engine"];
const ALLOWED_IN_PURE: &[&str] = &[
    "serde",
    "serde_json",
    "thiserror",
    "jiff",
    "memchr",
    "xxhash-rust",
    "libm",
    "fast-float2",
    "zmij",
    "rand_chacha",
    "statrs",
];

/// A resolved dependency of one package on another.
struct Edge {
    to: String,
    /// Built into what others use, or needed to build it; false for what only tests use.
    outside_tests: bool,
}

/// Package names by identity, and the edges of every package by its name. Two versions of a crate share a name here,
/// which can only add edges.
struct Graph {
    members: BTreeSet<String>,
    edges: BTreeMap<String, Vec<Edge>>,
}

impl Graph {
    fn of(metadata: &Value) -> Self {
        let names: BTreeMap<&str, &str> = array(&metadata["packages"])
            .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
            .collect();
        let name = |id: &Value| id.as_str().and_then(|id| names.get(id)).map(ToString::to_string);
        let members = array(&metadata["workspace_members"]).filter_map(name).collect();
        let mut edges: BTreeMap<String, Vec<Edge>> = BTreeMap::new();
        for node in array(&metadata["resolve"]["nodes"]) {
            let Some(from) = name(&node["id"]) else { continue };
            let dependencies = array(&node["deps"]).filter_map(|dependency| {
                let outside_tests = array(&dependency["dep_kinds"]).any(|kind| kind["kind"] != "dev");
                Some(Edge { to: name(&dependency["pkg"])?, outside_tests })
            });
            edges.entry(from).or_default().extend(dependencies);
        }
        Self { members, edges }
    }

    fn edges_of(&self, from: &str) -> &[Edge] {
        self.edges.get(from).map_or(&[], Vec::as_slice)
    }

    /// The chain of names by which `from` comes to use `target` outside tests, both included.
    fn path(&self, from: &str, target: &str) -> Option<Vec<String>> {
        let mut paths = vec![vec![from.to_owned()]];
        let mut seen = BTreeSet::from([from.to_owned()]);
        while let Some(path) = paths.pop() {
            let last = path.last()?;
            if last == target {
                return Some(path);
            }
            for edge in self.edges_of(last).iter().filter(|edge| edge.outside_tests) {
                if seen.insert(edge.to.clone()) {
                    paths.push([path.as_slice(), std::slice::from_ref(&edge.to)].concat());
                }
            }
        }
        None
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Every edge that breaks a rule, each with the rule it breaks.
fn offences(metadata: &Value) -> Vec<String> {
    let graph = Graph::of(metadata);
    let mut offences = Vec::new();
    offences.extend(members_without_a_layer(&graph));
    offences.extend(arrows_that_point_upwards(&graph));
    offences.extend(runtimes_below_the_analyzer(&graph));
    offences.extend(impurities(&graph));
    offences
}

fn members_without_a_layer(graph: &Graph) -> impl Iterator<Item = String> {
    graph
        .members
        .iter()
        .filter(|member| !LAYERS.contains(&member.as_str()) && *member != "xtask")
        .map(|member| format!("{member} has no place in the layers: give it one in docs/architecture.md and here"))
}

fn arrows_that_point_upwards(graph: &Graph) -> Vec<String> {
    let layer = |name: &str| LAYERS.iter().position(|member| *member == name);
    let mut offences = Vec::new();
    for from in &graph.members {
        for Edge { to, .. } in graph.edges_of(from) {
            if to == "watchkeeper-web" && from != "watchkeeper-cli" {
                offences.push(format!("{from} -> {to}: only watchkeeper-cli uses watchkeeper-web"));
            }
            if let (Some(lower), Some(upper)) = (layer(from), layer(to))
                && lower < upper
            {
                offences.push(format!("{from} -> {to}: a crate uses only what is below it"));
            }
        }
    }
    offences
}

fn runtimes_below_the_analyzer(graph: &Graph) -> Vec<String> {
    let pairs = SYNCHRONOUS.iter().flat_map(|from| NEVER_IN_SYNCHRONOUS.iter().map(move |target| (from, target)));
    pairs
        .filter_map(|(from, target)| graph.path(from, target))
        .map(|path| format!("{}: formats, engine and data are synchronous", path.join(" -> ")))
        .collect()
}

fn impurities(graph: &Graph) -> Vec<String> {
    let mut offences = Vec::new();
    for from in PURE {
        for Edge { to, .. } in graph.edges_of(from).iter().filter(|edge| edge.outside_tests) {
            if !ALLOWED_IN_PURE.contains(&to.as_str()) && !LAYERS.contains(&to.as_str()) {
                offences.push(format!("{from} -> {to}: not among the crates that formats and engine may use"));
            }
        }
    }
    offences
}

mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_arrows_between_the_crates_point_downwards() -> anyhow::Result<()> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let offences = offences(&cargo_metadata(&root, &[])?);
        assert!(offences.is_empty(), "\n{}", offences.join("\n"));
        Ok(())
    }

    /// A graph as `cargo metadata` prints it; an edge is `(from, to, kind)`, and members are what begins with
    /// `watchkeeper-`.
    fn metadata(edges: &[(&str, &str, Option<&str>)]) -> Value {
        let names: BTreeSet<&str> = edges.iter().flat_map(|(from, to, _)| [*from, *to]).collect();
        let nodes = names.iter().map(|name| {
            let dependencies = edges.iter().filter(|(from, _, _)| from == name);
            let dependencies = dependencies.map(|(_, to, kind)| json!({"pkg": to, "dep_kinds": [{"kind": kind}]}));
            json!({"id": name, "deps": dependencies.collect::<Vec<_>>()})
        });
        json!({
            "packages": names.iter().map(|name| json!({"id": name, "name": name})).collect::<Vec<_>>(),
            "workspace_members": names.iter().filter(|name| name.starts_with("watchkeeper-")).collect::<Vec<_>>(),
            "resolve": {"nodes": nodes.collect::<Vec<_>>()},
        })
    }

    #[test]
    fn an_arrow_that_points_upwards_is_named() {
        let broken = metadata(&[("watchkeeper-engine", "watchkeeper-analyzer", Some("dev"))]);
        assert_eq!(
            offences(&broken),
            ["watchkeeper-engine -> watchkeeper-analyzer: a crate uses only what is below it"]
        );
    }

    #[test]
    fn a_runtime_is_named_with_the_way_it_came_in() {
        let broken = metadata(&[
            ("watchkeeper-data", "object_store", None),
            ("object_store", "hyper", Some("build")),
            ("watchkeeper-data", "tokio", Some("dev")),
            ("watchkeeper-analyzer", "tokio", None),
        ]);
        assert_eq!(
            offences(&broken),
            ["watchkeeper-data -> object_store -> hyper: formats, engine and data are synchronous"]
        );
    }

    #[test]
    fn a_pure_crate_gains_nothing_unnoticed() {
        let broken = metadata(&[
            ("watchkeeper-engine", "statrs", None),
            ("watchkeeper-engine", "rayon", None),
            ("watchkeeper-engine", "proptest", Some("dev")),
        ]);
        assert_eq!(
            offences(&broken),
            ["watchkeeper-engine -> rayon: not among the crates that formats and engine may use"]
        );
    }

    #[test]
    fn the_web_is_for_the_command_line_alone() {
        let broken = metadata(&[
            ("watchkeeper-cli", "watchkeeper-web", None),
            ("watchkeeper-analyzer", "watchkeeper-web", None),
        ]);
        assert_eq!(
            offences(&broken),
            [
                "watchkeeper-analyzer -> watchkeeper-web: only watchkeeper-cli uses watchkeeper-web",
                "watchkeeper-analyzer -> watchkeeper-web: a crate uses only what is below it",
            ]
        );
    }

    #[test]
    fn a_new_crate_is_given_a_place() {
        let broken = metadata(&[("watchkeeper-cli", "watchkeeper-new", None)]);
        assert_eq!(
            offences(&broken),
            ["watchkeeper-new has no place in the layers: give it one in docs/architecture.md and here"]
        );
    }
}
