//! What stands for the image of a model. Pure.
//!
//! The entries of the configuration come first, the first that matches wins; then the repositories of built-in models.

use std::collections::BTreeMap;

use watchkeeper_aws::types::ImageUri;

use super::StartError;
use crate::configuration::{BuiltInModel, Image};
use crate::program::image::{entry, is_repository};

/// The repositories of built-in models.
const BUILT_IN: [(&str, BuiltInModel); 4] = [
    ("watchkeeper-echo", BuiltInModel::Echo),
    ("watchkeeper-constant", BuiltInModel::Constant),
    ("watchkeeper-linear", BuiltInModel::Linear),
    ("watchkeeper-logistic", BuiltInModel::Logistic),
];
/// The repository of models that are served elsewhere.
const EXTERNAL: &str = "watchkeeper-external";
/// What a model server is told to do.
const SERVE: &str = "serve";

/// What stands for the image of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A server that runs already.
    Url(String),
    /// A program of this machine, and what the image sets.
    Command { command: Vec<String>, environment: BTreeMap<String, String> },
    /// An image of the container engine, the program that replaces its own, and what the image sets.
    Container { image: String, entrypoint: Vec<String>, environment: BTreeMap<String, String> },
    /// A model of this program.
    BuiltIn(BuiltInModel),
}

/// What stands for an image.
pub(super) fn of_image(images: &[Image], image: &str) -> Result<Source, StartError> {
    let image: ImageUri = image.parse().map_err(|error| StartError::Failed(format!("{error}")))?;
    if let Some(entry) = entry(images, &image) {
        return of_entry(entry, &image);
    }
    if is_repository(&image, EXTERNAL) {
        return Err(StartError::External);
    }
    let built_in = BUILT_IN.iter().find(|(repository, _)| is_repository(&image, repository));
    built_in.map(|&(_, model)| Source::BuiltIn(model)).ok_or_else(|| {
        StartError::Unmapped(format!(
            "no model server is known for image `{image}`: add an entry to the service's configuration, such as \
             [[images]] match = \"*/{}*\" command = [\"python3\", \"/path/of/server.py\"], or with url, container or \
             built_in in the place of command",
            image.repository()
        ))
    })
}

fn of_entry(entry: &Image, image: &ImageUri) -> Result<Source, StartError> {
    let environment = entry.environment.clone();
    if let Some(url) = &entry.url {
        return Ok(Source::Url(url.clone()));
    }
    if let Some(container) = &entry.container {
        let image = container.replace('*', image.as_str());
        // The engine would read it as an option.
        if image.starts_with('-') {
            return Err(StartError::Failed(format!(
                "`{image}` begins with a hyphen, which no image of a container does"
            )));
        }
        return Ok(Source::Container { image, entrypoint: entry.command.clone(), environment });
    }
    if !entry.command.is_empty() {
        let command = entry.command.iter().cloned().chain([SERVE.to_owned()]).collect();
        return Ok(Source::Command { command, environment });
    }
    entry.built_in.map(Source::BuiltIn).ok_or_else(|| {
        StartError::Unmapped(format!(
            "the [[images]] entry `{}` of the service's configuration, which matches the model's image `{image}`, has no \
             command, url, container or built_in: add one, such as command = [\"python3\", \"/path/of/server.py\"]",
            entry.pattern
        ))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn entry(pattern: &str) -> Image {
        Image { pattern: pattern.to_owned(), ..Image::default() }
    }

    #[test]
    fn built_in_repositories_need_no_configuration_and_any_entry_goes_before_them() {
        let logistic = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/watchkeeper-logistic:7";
        assert_eq!(of_image(&[], logistic), Ok(Source::BuiltIn(BuiltInModel::Logistic)));
        assert_eq!(of_image(&[], "watchkeeper-echo"), Ok(Source::BuiltIn(BuiltInModel::Echo)));
        assert_eq!(of_image(&[], "x.example/watchkeeper-external"), Err(StartError::External));
        let url = Image { url: Some("http://127.0.0.1:1".to_owned()), ..entry("*logistic*") };
        assert_eq!(of_image(&[url], logistic), Ok(Source::Url("http://127.0.0.1:1".to_owned())));
    }

    #[test]
    fn commands_are_told_to_serve_and_containers_may_be_the_image_itself() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let command = Image { command: words(&["python3", "server.py"]), ..entry("mine") };
        let serve =
            Source::Command { command: words(&["python3", "server.py", "serve"]), environment: BTreeMap::new() };
        assert_eq!(of_image(std::slice::from_ref(&command), "mine"), Ok(serve));
        let container = Image { container: Some("*".to_owned()), ..command };
        let image = "host.example/mine:3";
        let source = of_image(&[Image { pattern: "*mine*".to_owned(), ..container }], image).unwrap();
        let entrypoint = words(&["python3", "server.py"]);
        assert_eq!(source, Source::Container { image: image.to_owned(), entrypoint, environment: BTreeMap::new() });
        let any = Image { container: Some("*".to_owned()), ..entry("*") };
        let Err(StartError::Failed(reason)) = of_image(&[any], "--volume=/etc:/host/etc") else { panic!() };
        assert!(reason.contains("`--volume=/etc:/host/etc`"), "{reason}");
    }

    #[test]
    fn what_nobody_maps_names_the_image_and_the_setting() {
        let Err(StartError::Unmapped(reason)) = of_image(&[], "host.example/mine:2") else { panic!() };
        assert!(reason.contains("host.example/mine:2") && reason.contains("[[images]]"), "{reason}");
        let Err(StartError::Unmapped(reason)) = of_image(&[entry("mine")], "mine") else { panic!() };
        assert!(reason.contains("`mine`") && reason.contains("[[images]]"), "{reason}");
    }
}
