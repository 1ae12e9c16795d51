//! What stands for the image of a model. Pure.
//!
//! The entries of the configuration come first, the first that matches wins; then the repositories of built-in models.

use watchkeeper_aws::types::ImageUri;

use super::StartError;
use crate::configuration::{BuiltInModel, Image};
use crate::program::image::{self, Program, entry, is_repository};

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
    /// A program.
    Program(Program),
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
             [[images]] match = \"*/{}*\" command = [\"python3\", \"/path/of/server.py\"], or with url, container, \
             rootfs or built_in in the place of command",
            image.repository()
        ))
    })
}

fn of_entry(entry: &Image, image: &ImageUri) -> Result<Source, StartError> {
    if let Some(url) = &entry.url {
        return Ok(Source::Url(url.clone()));
    }
    let program = image::of_entry(entry, image, &[], &[SERVE.to_owned()]).map_err(StartError::Failed)?;
    if program.is_known() {
        return Ok(Source::Program(program));
    }
    entry.built_in.map(Source::BuiltIn).ok_or_else(|| {
        StartError::Unmapped(format!(
            "the [[images]] entry `{}` of the service's configuration, which matches the model's image `{image}`, has no \
             command, url, container, rootfs or built_in: add one, such as command = [\"python3\", \"/path/of/server.py\"]",
            entry.pattern
        ))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::program::image::Place;

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

    fn program(images: &[Image], image: &str) -> Program {
        match of_image(images, image) {
            Ok(Source::Program(program)) => program,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn commands_are_told_to_serve_and_containers_may_be_the_image_itself() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let command = Image { command: words(&["python3", "server.py"]), ..entry("*mine*") };
        let served = program(std::slice::from_ref(&command), "mine");
        assert_eq!(
            (served.place.clone(), served.command()),
            (Place::Machine, words(&["python3", "server.py", "serve"]))
        );
        let container = Image { container: Some("*".to_owned()), ..command.clone() };
        let image = "host.example/mine:3";
        let served = program(&[container], image);
        assert_eq!(served.place, Place::Container(image.to_owned()));
        assert_eq!((served.entrypoint, served.arguments), (words(&["python3", "server.py"]), words(&["serve"])));
        let served = program(&[Image { rootfs: Some("/images/mine/rootfs".into()), ..command }], image);
        assert_eq!(served.place, Place::Rootfs("/images/mine/rootfs".into()));
        assert_eq!(served.command(), words(&["python3", "server.py", "serve"]));
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
