//! What a command has done, step by step.

use super::{ASCII, NARROW, WIDE};
use crate::terminal::{Outcome, Style, step};

#[test]
fn a_step_stands_in_columns_and_goes_on_below_itself() {
    assert_eq!(step(Outcome::Good, "sent", "1,000 good requests", &WIDE), "✓ sent        1,000 good requests\n");
    assert_eq!(step(Outcome::Bad, "checked", "the window", &ASCII), "! checked     the window\n");
    let narrow = Style { width: 30, ..NARROW };
    let shown = step(Outcome::Good, "deployed", "endpoint churn, which says who will leave", &narrow);
    assert_eq!(shown, "✓ deployed    endpoint churn,\n              which says who\n              will leave\n");
    let painted = step(Outcome::Bad, "checked", "the window", &Style { color: true, ..WIDE });
    assert!(painted.starts_with("\u{1b}["), "{painted:?}");
}
