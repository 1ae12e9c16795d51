//! `watchkeeper completions`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::Ending;
use crate::arguments::Arguments;

pub(crate) fn run(shell: Shell) -> anyhow::Result<Ending> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "watchkeeper", &mut script);
    crate::output::print(&String::from_utf8_lossy(&script))?;
    Ok(Ending::Fine)
}
