//! Standard output and standard error, and what can be shown there.

use std::io::{IsTerminal as _, Write as _};

use crate::terminal::Style;

/// Width of a table that does not go to a terminal.
const WIDTH_OF_A_PIPE: usize = 160;

/// Writes to standard output, without colours where it is no terminal or `NO_COLOR` is set. A reader that has gone
/// away (`| head`) is no failure.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes to standard error; where nobody can read it nothing can be done about that.
pub(crate) fn say(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// What standard output can show. Colours are always written: [`print`] takes them out where they do not belong.
pub(crate) fn style() -> Style {
    let width = if std::io::stdout().is_terminal() {
        terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0))
    } else {
        WIDTH_OF_A_PIPE
    };
    Style { color: true, width, unicode: speaks_unicode() }
}

/// By the first of the locale's variables that is set; without any, as nearly every terminal does.
fn speaks_unicode() -> bool {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| std::env::var(name).ok().filter(|v| !v.is_empty()));
    locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}
