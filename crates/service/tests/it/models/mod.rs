//! Models: what is built in, archives, programs that are watched over, and the client that asks them.

mod archives;
mod bench;
mod built_in;
mod pool;
mod programs;
mod supervision;
