//! Batch transform jobs in a whole service: what the model is asked, what the results are to the byte, and how jobs end.

mod ends;
mod objects;
mod processing;
mod requests;
mod world;
