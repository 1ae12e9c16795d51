//! `watchkeeper keys`: the access keys of the running service, and the master key of a stopped one.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use http::Method;
use serde_json::{Value, json};
use watchkeeper_store::keys::rotation::rotate_master_key;

use super::serve::{block_on, load};
use crate::arguments::{KeysAction, KeysArguments, ServeArguments};
use crate::connection::Connection;
use crate::{Ending, output, terminal};

/// Where the service answers about its access keys.
const PATH: &str = "/_watchkeeper/keys";

pub(crate) fn run(arguments: &KeysArguments) -> anyhow::Result<Ending> {
    let ask =
        |method, path: &str, body: Vec<u8>| ask(&Connection::open(arguments.data_dir.as_deref())?, method, path, body);
    let text = match &arguments.action {
        KeysAction::List => table(&ask(Method::GET, PATH, Vec::new())?),
        KeysAction::Create { description } => {
            let body = serde_json::to_vec(&json!({ "description": description }))?;
            let key = ask(Method::POST, PATH, body)?;
            format!(
                "AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n",
                text(&key, "access_key_id"),
                text(&key, "secret_access_key")
            )
        }
        KeysAction::Disable { access_key_id } => {
            ask(Method::POST, &path_of(access_key_id, "/disable"), Vec::new())?;
            format!("{access_key_id} is inactive\n")
        }
        KeysAction::Enable { access_key_id } => {
            ask(Method::POST, &path_of(access_key_id, "/enable"), Vec::new())?;
            format!("{access_key_id} is active\n")
        }
        KeysAction::Delete { access_key_id } => {
            ask(Method::DELETE, &path_of(access_key_id, ""), Vec::new())?;
            format!("{access_key_id} is deleted\n")
        }
        KeysAction::RotateMaster { config, new_key_file } => {
            rotate_master(arguments.data_dir.clone(), config.clone(), new_key_file.as_deref())?
        }
    };
    output::print(&text)?;
    Ok(Ending::Fine)
}

/// Encrypts everything by another master key, while no service uses it; what there is to say of it.
fn rotate_master(
    data_dir: Option<PathBuf>,
    config: Option<PathBuf>,
    new_key_file: Option<&Path>,
) -> anyhow::Result<String> {
    let configuration = load(&ServeArguments { listen: None, data_dir, config })?.configuration;
    let settings = configuration.store();
    anyhow::ensure!(
        std::fs::metadata(&settings.data_directory).is_ok_and(|found| found.is_dir()),
        "there is no data directory {}: name it by --data-dir, or the configuration file by --config",
        settings.data_directory.display()
    );
    let rotated = block_on(async { Ok(rotate_master_key(&settings, new_key_file).await?) })?;
    let mut text = format!(
        "{} secrets are encrypted by the key in {}; the old one opens nothing any more but backups\n",
        rotated.secrets,
        rotated.file.display()
    );
    if new_key_file.is_some() {
        text.push_str("set `master_key_file` to that file, or `master_key` to the key, before the service starts\n");
    }
    Ok(text)
}

fn path_of(access_key_id: &str, action: &str) -> String {
    format!("{PATH}/{}{action}", watchkeeper_aws::signing::encode(access_key_id.as_bytes()))
}

fn ask(connection: &Connection, method: Method, path: &str, body: Vec<u8>) -> anyhow::Result<Value> {
    let headers = [("content-type", "application/json")];
    let answer = connection.wait(connection.client.request(method, path, &headers, body, "sagemaker"))?;
    let status = answer.status();
    if answer.body().is_empty() && status.is_success() {
        return Ok(Value::Null);
    }
    let document: Value =
        serde_json::from_slice(answer.body()).with_context(|| format!("the service answered {status} and no JSON"))?;
    if status.is_success() {
        return Ok(document);
    }
    // A refused signature is answered as AWS does it.
    let message = document["error"].as_str().or_else(|| document["Message"].as_str());
    anyhow::bail!("{}", message.map_or_else(|| format!("the service answered {status}"), str::to_owned))
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn table(document: &Value) -> String {
    let columns = ["access_key_id", "status", "origin", "created", "description"];
    let keys = document["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut rows = vec![columns.map(str::to_owned)];
    let style = output::style();
    rows.extend(keys.iter().map(|key| {
        columns.map(|column| match text(key, column) {
            "" => String::new(),
            text => terminal::visible(text, &style).into_owned(),
        })
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |row: &[String; 5]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}
