//! The server that a case is played against: it gives the recorded answers, each to the next request like the recorded one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::requests::recording::{Answer, Case, Recording};
use crate::requests::wire;
use crate::stub::{self, Request, Stub};

pub struct Server {
    stub: Stub,
    state: Arc<Mutex<State>>,
}

struct State {
    /// What is still to come, in order.
    awaited: Vec<(Value, Answer)>,
    /// What was sent, in the form of the recordings.
    sent: Vec<Value>,
    /// What was answered to what, for requests that may be repeated.
    given: Vec<(Value, Answer)>,
    /// The names that were generated, by what the recordings have in their place.
    names: HashMap<String, String>,
}

impl Server {
    pub fn start(recording: &Recording, case: &Case) -> Self {
        let exchanges = case.steps.iter().flat_map(|step| &step.exchanges);
        let awaited =
            exchanges.map(|it| (wire::canonical(&it.request), recording.answers[it.answer].clone())).collect();
        let state = Arc::new(Mutex::new(State { awaited, sent: Vec::new(), given: Vec::new(), names: HashMap::new() }));
        let shared = Arc::clone(&state);
        Self { stub: Stub::start(move |request| shared.lock().unwrap().answer(request)), state }
    }

    pub fn url(&self) -> String {
        self.stub.url()
    }

    /// What was sent so far, in the form of the recordings.
    pub fn sent(&self) -> Vec<Value> {
        let mut sent = self.state.lock().unwrap().sent.clone();
        wire::in_order_of_parts(&mut sent);
        sent
    }
}

impl State {
    fn answer(&mut self, request: &Request) -> stub::Answer {
        let text = wire::recorded(request).to_string();
        self.keep_names(&text);
        let sent: Value = serde_json::from_str(&wire::normalised(&text)).unwrap();
        let sent = wire::canonical(&sent);
        if wire::is_repeated_account_check(&sent, &self.sent) {
            let given = self.given.iter().find(|(request, _)| *request == sent);
            return given.map_or_else(stub::Answer::empty, |(_, answer)| self.with_names_in(answer, request));
        }
        self.sent.push(sent.clone());
        // The answer to the same request, or else to the one that is most like it.
        let like = |members: &[&str]| {
            self.awaited.iter().position(|(wanted, _)| members.iter().all(|it| wanted[it] == sent[it]))
        };
        let exactly = self.awaited.iter().position(|(wanted, _)| *wanted == sent);
        let of_operation = ["service", "operation", "bucket", "key"];
        let position = exactly.or_else(|| like(&of_operation)).or_else(|| like(&of_operation[..2]));
        // What the recording has not answered is refused, and shows in the comparison.
        let Some(position) = position else {
            return stub::Answer::error(400, "NotRecorded", &format!("Python does not send {text}"));
        };
        let (_, answer) = self.awaited.remove(position);
        self.given.push((sent, answer.clone()));
        self.with_names_in(&answer, request)
    }

    fn with_names_in(&self, answer: &Answer, request: &Request) -> stub::Answer {
        let mut given = stub::Answer::bytes(self.with_names(&answer.body)).with_status(answer.status);
        for (name, value) in &answer.headers {
            // The length of a body that is sent is the server's to say.
            if name != "content-length" || request.method == "HEAD" {
                given = given.with_header(name, value.as_str().unwrap());
            }
        }
        given
    }

    /// Keeps the names in a request that hold generated parts.
    fn keep_names(&mut self, text: &str) {
        for word in words(text) {
            let placeholder = wire::normalised(word);
            if placeholder != word {
                self.names.insert(placeholder, word.to_owned());
            }
        }
    }

    /// The text of an answer with the names that this conversation generated.
    fn with_names(&self, text: &str) -> String {
        let mut made = text.to_owned();
        let mut names: Vec<_> = self.names.iter().collect();
        // The longest first: one may end with another.
        names.sort_by_key(|(placeholder, _)| std::cmp::Reverse(placeholder.len()));
        for (placeholder, name) in names {
            made = made.replace(placeholder, name);
        }
        made
    }
}

/// The parts of a text that names are made of.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-').filter(|word| !word.is_empty())
}
