//! `watchkeeper env`: what a shell, or an AWS profile, needs for scripts to talk to the service.
//!
//! Two routes: an endpoint URL, with defaults for the SageMaker SDK that keep it from asking STS at AWS's own address; or
//! the service as a proxy, through which scripts talk to AWS's names, and the certificate authority they have to trust.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Map, Value};
use watchkeeper_aws::signing::Credentials;
use watchkeeper_service::server::{DataDirectory, ServiceAddress};

use crate::arguments::{EnvArguments, EnvironmentFormat};
use crate::{Ending, output};

/// Names and values, in the order in which they are shown.
type Variables = Vec<(&'static str, String)>;

pub(crate) fn run(arguments: &EnvArguments) -> anyhow::Result<Ending> {
    let directory = DataDirectory::of(arguments.data_dir.as_deref())?;
    let service = directory.service()?;
    let credentials = directory.credentials()?;
    let mut variables = if arguments.proxy { of_proxy(&directory, &service)? } else { of_endpoint(&service) };
    if let Some(name) = &arguments.profile {
        let endpoint = (!arguments.proxy).then_some(service.endpoint_url.as_str());
        write_profile(name, &service, &credentials, endpoint)?;
        variables.retain(|(name, _)| *name != "AWS_ENDPOINT_URL");
        variables.insert(0, ("AWS_PROFILE", name.clone()));
    } else {
        variables.insert(0, ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.clone()));
        variables.insert(0, ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()));
    }
    variables.extend([
        ("AWS_REGION", service.region.clone()),
        ("AWS_DEFAULT_REGION", service.region.clone()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("SAGEMAKER_SUPPRESS_V2_WARNING", "1".to_owned()),
    ]);
    let stale = stale(&variables);
    output::print(&format!("{}{}", unset(&stale, arguments.format), written(&variables, arguments.format)))?;
    Ok(Ending::Fine)
}

/// What an earlier call, or AWS's own commands, may have left in a shell, and would now lead elsewhere.
fn stale(variables: &Variables) -> Vec<&'static str> {
    let other = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_ENDPOINT_URL"];
    other.into_iter().filter(|name| variables.iter().all(|(set, _)| set != name)).collect()
}

/// The lines that take variables away, where a format has such.
fn unset(names: &[&str], format: EnvironmentFormat) -> String {
    match format {
        EnvironmentFormat::Shell => format!("unset {}\n", names.join(" ")),
        EnvironmentFormat::Powershell => {
            let lines = names.iter().map(|name| format!("Remove-Item Env:{name} -ErrorAction SilentlyContinue\n"));
            lines.collect::<Vec<_>>().concat()
        }
        EnvironmentFormat::Json | EnvironmentFormat::Dotenv => String::new(),
    }
}

/// Route 1: an endpoint URL.
fn of_endpoint(service: &ServiceAddress) -> Variables {
    vec![
        ("AWS_ENDPOINT_URL", service.endpoint_url.clone()),
        ("SAGEMAKER_USER_CONFIG_OVERRIDE", service.sdk_defaults.clone()),
    ]
}

/// Route 2: the service as a proxy, and its certificate authority.
fn of_proxy(directory: &DataDirectory, service: &ServiceAddress) -> anyhow::Result<Variables> {
    let absolute = |path: PathBuf| -> anyhow::Result<String> {
        let path = std::path::absolute(&path).with_context(|| format!("{} has no absolute path", path.display()))?;
        let text = path.to_str().with_context(|| format!("the path {} is not UTF-8", path.display()))?;
        Ok(text.to_owned())
    };
    let mut variables = vec![
        ("HTTPS_PROXY", service.endpoint_url.clone()),
        ("https_proxy", service.endpoint_url.clone()),
        ("NO_PROXY", "127.0.0.1,localhost,::1".to_owned()),
        ("no_proxy", "127.0.0.1,localhost,::1".to_owned()),
        ("AWS_CA_BUNDLE", absolute(directory.certificate())?),
        ("REQUESTS_CA_BUNDLE", absolute(directory.certificate_bundle())?),
        ("SSL_CERT_FILE", absolute(directory.certificate_bundle())?),
    ];
    // The name the SDK makes by itself needs no telling: here it can ask STS.
    if service.default_bucket != format!("sagemaker-{}-{}", service.region, service.account) {
        variables.push(("SAGEMAKER_USER_CONFIG_OVERRIDE", service.sdk_defaults.clone()));
    }
    Ok(variables)
}

fn written(variables: &Variables, format: EnvironmentFormat) -> String {
    if format == EnvironmentFormat::Json {
        let members = variables.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())));
        let document: Map<String, Value> = members.collect();
        return format!("{}\n", serde_json::to_string_pretty(&document).expect("a map of texts is JSON"));
    }
    let mut text = String::new();
    for (name, value) in variables {
        // Writing to a text does not fail.
        let _ = match format {
            EnvironmentFormat::Shell => writeln!(text, "export {name}={}", quoted_for_shell(value)),
            EnvironmentFormat::Dotenv => writeln!(text, "{name}={}", quoted_for_dotenv(value)),
            EnvironmentFormat::Powershell => writeln!(text, "$env:{name} = '{}'", value.replace('\'', "''")),
            EnvironmentFormat::Json => Ok(()),
        };
    }
    text
}

/// Single quotes, in which a shell reads nothing; a quote itself stands outside of them.
fn quoted_for_shell(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// Double quotes with the escapes that readers of such files know; a dollar would begin a variable.
fn quoted_for_dotenv(value: &str) -> String {
    let mut quoted = String::from("\"");
    for character in value.chars() {
        match character {
            '\\' | '"' | '$' | '`' => {
                quoted.push('\\');
                quoted.push(character);
            }
            '\n' => quoted.push_str("\\n"),
            character => quoted.push(character),
        }
    }
    quoted + "\""
}

/// Writes the profile to AWS's two files, in place of one of that name.
fn write_profile(
    name: &str,
    service: &ServiceAddress,
    credentials: &Credentials,
    endpoint: Option<&str>,
) -> anyhow::Result<()> {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.');
    anyhow::ensure!(
        !name.is_empty() && name.chars().all(plain),
        "a profile's name takes letters, digits, hyphens, underscores and dots, not `{name}`"
    );
    let mut settings = vec![("region", service.region.as_str())];
    if let Some(endpoint) = endpoint {
        settings.push(("endpoint_url", endpoint));
    }
    let section = if name == "default" { name.to_owned() } else { format!("profile {name}") };
    replace_section(&aws_file("AWS_CONFIG_FILE", "config")?, &section, &settings)?;
    let secrets = [
        ("aws_access_key_id", credentials.access_key_id.as_str()),
        ("aws_secret_access_key", credentials.secret_access_key.as_str()),
    ];
    replace_section(&aws_file("AWS_SHARED_CREDENTIALS_FILE", "credentials")?, name, &secrets)
}

/// One of AWS's files: where its variable says, else in `~/.aws`.
fn aws_file(variable: &str, name: &str) -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) {
        return Ok(PathBuf::from(path));
    }
    let home = std::env::var_os("HOME").context("there is no home folder to write the profile to")?;
    Ok(Path::new(&home).join(".aws").join(name))
}

/// Writes a section of an INI file; the others stay as they are.
fn replace_section(path: &Path, section: &str, settings: &[(&str, &str)]) -> anyhow::Result<()> {
    let current = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut text = without_section(&current, section);
    if !text.is_empty() && !text.ends_with("\n\n") {
        text.push_str(if text.ends_with('\n') { "\n" } else { "\n\n" });
    }
    let _ = writeln!(text, "[{section}]");
    for (name, value) in settings {
        let _ = writeln!(text, "{name} = {value}");
    }
    let failed = || format!("cannot write {}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(failed)?;
    }
    let temporary = path.with_extension("watchkeeper-new");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary).with_context(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(failed)?;
    std::fs::rename(&temporary, path).with_context(failed)
}

/// An INI file without one of its sections.
fn without_section(text: &str, section: &str) -> String {
    let mut kept = String::new();
    let mut inside = false;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = name.trim() == section;
        }
        if !inside {
            kept.push_str(line);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_quoted() {
        assert_eq!(quoted_for_shell("a'b $c"), r"'a'\''b $c'");
        assert_eq!(quoted_for_dotenv("a\"b$c\\"), r#""a\"b\$c\\""#);
    }

    #[test]
    fn other_sections_stay() {
        let text = "# mine\n[default]\nregion = x\n\n[profile watch]\nregion = y\n[profile other]\nregion = z\n";
        let expected = "# mine\n[default]\nregion = x\n\n[profile other]\nregion = z\n";
        assert_eq!(without_section(text, "profile watch"), expected);
        assert_eq!(without_section(text, "profile missing"), text);
    }
}
