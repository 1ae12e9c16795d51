//! Which program an image is.
//!
//! The entries of the configuration come first, the first that matches wins; then the built-in repositories, whatever
//! their registry, region and tag. Their program is this one, told by arguments which analyzer it is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use watchkeeper_aws::generated::sagemaker::AppSpecification;
use watchkeeper_aws::types::ImageUri;

use super::rootfs;
use crate::configuration::Image;
use crate::control::execution_plan::MERGER;

/// Built-in repositories and the arguments of this program that make it what the repository holds.
const BUILT_IN: [(&str, [&str; 2]); 3] = [
    ("sagemaker-model-monitor-analyzer", ["analyze", "model-monitor-analyzer"]),
    (MERGER, ["analyze", "groundtruth-merger"]),
    (CLARIFY, ["analyze", "clarify-processing"]),
];
/// The repository of the Clarify image, whose jobs take no entrypoint, run on one machine and may make endpoints.
const CLARIFY: &str = "sagemaker-clarify-processing";

/// Where a program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On this machine, with what there is on it.
    Machine,
    /// In the folder with the unpacked file system of an image.
    Rootfs(PathBuf),
    /// In a container of this image.
    Container(String),
}

/// What an image runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// Where.
    pub(crate) place: Place,
    /// The executable and its first arguments; in a container, where it may be empty, what replaces the image's own.
    pub(crate) entrypoint: Vec<String>,
    /// Arguments behind them.
    pub(crate) arguments: Vec<String>,
    /// Variables that the image itself sets.
    pub(crate) environment: BTreeMap<String, String>,
    /// What the job's log should say about it.
    pub(crate) note: Option<String>,
}

impl Program {
    /// The executable and all its arguments.
    pub(crate) fn command(&self) -> Vec<String> {
        self.entrypoint.iter().chain(&self.arguments).cloned().collect()
    }

    /// Whether there is something to run: only in a container the image itself knows it.
    pub(crate) fn is_known(&self) -> bool {
        !self.entrypoint.is_empty() || matches!(self.place, Place::Container(_))
    }
}

/// Whether a job's program is the built-in Clarify.
pub(crate) fn is_clarify(images: &[Image], specification: &AppSpecification) -> bool {
    let image: Result<ImageUri, _> = specification.image_uri.parse();
    image.is_ok_and(|image| is_repository(&image, CLARIFY) && entry(images, &image).is_none())
}

/// The program of a job. `own_program` is this program: an executable and its first arguments.
pub(crate) fn resolve(
    images: &[Image],
    own_program: &[String],
    specification: &AppSpecification,
) -> Result<Program, String> {
    let image: ImageUri = specification.image_uri.parse().map_err(|error| format!("{error}"))?;
    let entrypoint = specification.container_entrypoint.as_deref().unwrap_or_default();
    let arguments = specification.container_arguments.as_deref().unwrap_or_default();
    if let Some(entry) = entry(images, &image) {
        return of_job(entry, &image, entrypoint, arguments);
    }
    let Some((_, own_arguments)) = BUILT_IN.iter().find(|(repository, _)| is_repository(&image, repository)) else {
        return Err(format!(
            "no program is known for image `{image}`: add an entry to the service's configuration, such as \
             [[images]] match = \"*/{}*\" command = [\"python3\", \"/path/of/program.py\"]",
            image.repository()
        ));
    };
    let is_told = !entrypoint.is_empty() || !arguments.is_empty();
    if is_told && is_repository(&image, CLARIFY) {
        return Err(format!(
            "ClientError: image `{image}` takes neither ContainerEntrypoint nor ContainerArguments: what it does is in its \
             input `analysis_config`; leave them out"
        ));
    }
    let note = is_told
        .then(|| format!("image `{image}` is built in: ContainerEntrypoint and ContainerArguments mean nothing to it"));
    let entrypoint = own_program.iter().cloned().chain(own_arguments.iter().map(|&word| word.to_owned())).collect();
    let (arguments, environment) = (Vec::new(), BTreeMap::new());
    Ok(Program { place: Place::Machine, entrypoint, arguments, environment, note })
}

/// The entry of the configuration for an image: the first that matches.
pub(crate) fn entry<'a>(images: &'a [Image], image: &ImageUri) -> Option<&'a Image> {
    images.iter().find(|entry| matches(&entry.pattern, image))
}

/// The entry of the configuration for the image of a job or model, by its text.
pub(crate) fn entry_of<'a>(images: &'a [Image], image: &str) -> Option<&'a Image> {
    entry(images, &image.parse().ok()?)
}

fn of_job(entry: &Image, image: &ImageUri, entrypoint: &[String], arguments: &[String]) -> Result<Program, String> {
    let program = of_entry(entry, image, entrypoint, arguments)?;
    if !program.is_known() {
        return Err(format!(
            "the [[images]] entry `{}` of the service's configuration has no command, and the job for image `{image}` \
             has no ContainerEntrypoint: add command = [\"python3\", \"/path/of/program.py\"]",
            entry.pattern
        ));
    }
    Ok(program)
}

/// The program of an entry, with another entrypoint in the place of its command where one is given; see
/// [`Program::is_known`].
pub(crate) fn of_entry(
    entry: &Image,
    image: &ImageUri,
    entrypoint: &[String],
    arguments: &[String],
) -> Result<Program, String> {
    let own = if entrypoint.is_empty() { entry.command.as_slice() } else { entrypoint };
    let mut program = Program {
        place: Place::Machine,
        entrypoint: own.to_vec(),
        arguments: arguments.to_vec(),
        environment: entry.environment.clone(),
        note: None,
    };
    if let Some(container) = &entry.container {
        program.place = Place::Container(container_image(container, image)?);
    } else if let Some(rootfs) = &entry.rootfs {
        program = in_rootfs(program, rootfs.clone())?;
    }
    Ok(program)
}

/// What the unpacked image says of its program, where neither the entry nor the request does. Whoever replaces the entrypoint
/// of an image replaces its arguments as well.
fn in_rootfs(mut program: Program, folder: PathBuf) -> Result<Program, String> {
    let image = rootfs::read(&folder)?;
    if program.entrypoint.is_empty() {
        program.entrypoint = image.entrypoint;
        if program.arguments.is_empty() {
            program.arguments = image.arguments;
        }
        if program.entrypoint.is_empty() {
            program.entrypoint = std::mem::take(&mut program.arguments);
        }
    }
    program.environment = image.environment.into_iter().chain(program.environment).collect();
    program.place = Place::Rootfs(folder);
    Ok(program)
}

/// The image of the container engine that an entry names for an image.
fn container_image(container: &str, image: &ImageUri) -> Result<String, String> {
    let image = container.replace('*', image.as_str());
    // The engine would read it as an option.
    if image.starts_with('-') {
        return Err(format!("`{image}` begins with a hyphen, which no image of a container does"));
    }
    Ok(image)
}

/// Whether an image is of a repository, whatever its registry, region and tag.
pub(crate) fn is_repository(image: &ImageUri, repository: &str) -> bool {
    image.repository().rsplit('/').next() == Some(repository)
}

/// Whether a pattern stands for an image: as it was sent, with the tag `latest` where it has none, or its repository.
fn matches(pattern: &str, image: &ImageUri) -> bool {
    let text = image.as_str();
    if matches_text(pattern, text) || matches_text(pattern, image.repository()) {
        return true;
    }
    let has_tag = text.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    !has_tag && matches_text(pattern, &format!("{text}:latest"))
}

/// Whether a text has the form of a pattern, in which `*` stands for any text.
fn matches_text(pattern: &str, text: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').map_or((None, rest), |(middle, end)| (Some(middle), end));
    // The earliest place of each part leaves the most for those behind it.
    for part in middle.into_iter().flat_map(|middle| middle.split('*')) {
        let Some(at) = text.find(part) else { return false };
        text = &text[at + part.len()..];
    }
    text.ends_with(end)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn specification(image: &str, entrypoint: &[&str], arguments: &[&str]) -> AppSpecification {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        AppSpecification {
            image_uri: image.to_owned(),
            container_entrypoint: Some(texts(entrypoint)),
            container_arguments: Some(texts(arguments)),
        }
    }

    fn entry(pattern: &str, command: &[&str]) -> Image {
        Image {
            pattern: pattern.to_owned(),
            command: command.iter().map(|&word| word.to_owned()).collect(),
            ..Image::default()
        }
    }

    fn command_of(images: &[Image], specification: &AppSpecification) -> Result<Vec<String>, String> {
        let own = ["watchkeeper".to_owned()];
        resolve(images, &own, specification).map(|program| program.command())
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("*", "anything/at:all", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "ac", true),
            ("a*a", "a", false),
            ("a*b*c", "axbxc", true),
            ("a*b*b", "ab", false),
            ("*b*", "abc", true),
            ("*ab*ab*", "ab", false),
            ("*ab*ab", "abab", true),
            ("*b*c", "abcbd", false),
        ] {
            assert_eq!(matches_text(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn the_first_entry_that_matches_wins_and_the_built_in_come_last() {
        let analyzer = "159807026194.dkr.ecr.us-west-2.amazonaws.com/sagemaker-model-monitor-analyzer";
        let plain = |image| specification(image, &[], &[]);
        let images = [entry("*/team:*", &["first"]), entry("*/team*", &["second"]), entry("other", &["third"])];
        assert_eq!(command_of(&images, &plain("host.example/team:1")).unwrap(), ["first"]);
        assert_eq!(command_of(&images, &plain("host.example/team")).unwrap(), ["first"]);
        assert_eq!(command_of(&images, &plain("host.example/team-x@sha256:00")).unwrap(), ["second"]);
        assert_eq!(command_of(&images, &plain("host.example/other:3")).unwrap(), ["third"]);
        assert_eq!(
            command_of(&images, &plain(analyzer)).unwrap(),
            ["watchkeeper", "analyze", "model-monitor-analyzer"]
        );
        assert_eq!(command_of(&[entry("*", &["mine"])], &plain(analyzer)).unwrap(), ["mine"]);
    }

    #[test]
    fn entrypoint_and_arguments_are_those_of_a_container() {
        let images = [entry("mine", &["python3", "monitor.py"])];
        let command = |entrypoint: &[&str], arguments: &[&str]| {
            command_of(&images, &specification("mine", entrypoint, arguments)).unwrap()
        };
        assert_eq!(command(&[], &["--x", "1"]), ["python3", "monitor.py", "--x", "1"]);
        assert_eq!(command(&["sh", "-c"], &["exit 3"]), ["sh", "-c", "exit 3"]);
    }

    #[test]
    fn an_unpacked_image_says_what_it_runs_unless_somebody_else_does() {
        let bundle = tempfile::tempdir().unwrap();
        let document = r#"{"config": {"Entrypoint": ["python3"], "Cmd": ["a.py"], "Env": ["A=image", "B=image"]}}"#;
        std::fs::write(bundle.path().join("config.json"), document).unwrap();
        let environment = [("B".to_owned(), "entry".to_owned())].into();
        let rootfs = Image { rootfs: Some(bundle.path().join("rootfs")), environment, ..entry("mine", &[]) };
        let images = [rootfs];
        let program = |entrypoint: &[&str], arguments: &[&str]| {
            resolve(&images, &[], &specification("mine", entrypoint, arguments)).unwrap()
        };
        assert_eq!(program(&[], &[]).command(), ["python3", "a.py"]);
        assert_eq!(program(&[], &["b.py"]).command(), ["python3", "b.py"]);
        assert_eq!(program(&["sh"], &[]).command(), ["sh"]);
        let program = program(&[], &[]);
        assert_eq!(program.place, Place::Rootfs(bundle.path().join("rootfs")));
        assert_eq!([&program.environment["A"], &program.environment["B"]], ["image", "entry"]);
    }

    #[test]
    fn a_container_needs_no_command() {
        let images = [Image { container: Some("registry.example/*".to_owned()), ..entry("mine*", &[]) }];
        let program = resolve(&images, &[], &specification("mine:2", &[], &["--x"])).unwrap();
        assert_eq!(program.place, Place::Container("registry.example/mine:2".to_owned()));
        assert_eq!((program.entrypoint, program.arguments), (Vec::new(), vec!["--x".to_owned()]));
        let images = [Image { container: Some("*".to_owned()), ..entry("*", &[]) }];
        let reason = resolve(&images, &[], &specification("--privileged", &[], &[])).unwrap_err();
        assert!(reason.contains("begins with a hyphen"), "{reason}");
    }

    #[test]
    fn what_nobody_maps_names_the_image_and_the_setting() {
        let reason = command_of(&[], &specification("host.example/mine:2", &[], &[])).unwrap_err();
        assert!(reason.contains("host.example/mine:2") && reason.contains("[[images]]"), "{reason}");
        let reason = command_of(&[entry("mine", &[])], &specification("mine", &[], &[])).unwrap_err();
        assert!(reason.contains("`mine`") && reason.contains("[[images]]"), "{reason}");
    }
}
