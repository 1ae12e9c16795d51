//! Compiling `JMESPath`s of configurations.
//!
//! The library walks an expression on the stack, a level at a time: one that nests deep enough would end the whole process. No path that
//! somebody means comes near that, so such ones are refused before the library sees them.

use jmespath::Expression;

/// Levels of an expression. In a thread of two megabytes the library gets through twice as many.
const DEEPEST: usize = 100;

/// Compiles a path.
///
/// # Errors
/// Why it is none: in the library's words, or that it nests too deeply.
pub fn compile_path(path: &str) -> Result<Expression<'static>, String> {
    if levels(path) > DEEPEST {
        return Err(format!("it nests more than {DEEPEST} levels deep"));
    }
    jmespath::compile(path).map_err(|error| {
        // Behind its words the library draws the place.
        let words = error.to_string();
        words.lines().next().unwrap_or_default().to_owned()
    })
}

/// At most so deep is the tree of an expression: each bracket and each operator stands above what it is applied to, while the parts of a
/// list stand side by side.
fn levels(path: &str) -> usize {
    let mut open = Vec::new();
    let (mut level, mut deepest) = (0, 0);
    let mut quote = None;
    let mut before = b' ';
    for byte in path.bytes() {
        let previous = before;
        let is_escaped = previous == b'\\';
        // A backslash that is escaped itself escapes nothing.
        before = if is_escaped { b' ' } else { byte };
        if let Some(end) = quote {
            quote = quote.filter(|_| is_escaped || byte != end);
            continue;
        }
        match byte {
            b'"' | b'\'' | b'`' => quote = Some(byte),
            b',' => level = open.last().copied().unwrap_or(0),
            b'(' | b'[' | b'{' => {
                level += 1;
                open.push(level);
            }
            b')' | b']' | b'}' => level = open.pop().unwrap_or(level),
            // The second half of `||`, `&&`, `==`, `!=`, `<=` and `>=`.
            b'|' | b'&' | b'=' if matches!(previous, b'|' | b'&' | b'=' | b'!' | b'<' | b'>') => {}
            b'.' | b'|' | b'&' | b'!' | b'<' | b'>' | b'=' => level += 1,
            _ => {}
        }
        deepest = deepest.max(level);
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::{DEEPEST, compile_path};

    #[test]
    fn paths_that_are_meant_are_compiled() {
        let many: Vec<String> = (0..500).map(|index| format!("a.b[{index}].\"c.[({{\\\"\"")).collect();
        let conditions = vec!["a == 'x' && b > `1`"; 15].join(" || ");
        for path in
            [format!("[{}]", many.join(", ")), format!("rows[?{conditions}].cells"), "a[*].{x: b[0], y: c}".into()]
        {
            assert!(compile_path(&path).is_ok(), "{}", &path[..40]);
        }
        assert!(compile_path("a[").is_err_and(|problem| problem.contains("Parse error")));
    }

    #[test]
    fn paths_that_would_overflow_the_stack_are_refused() {
        let deep = |opening: &str, inner: &str, closing: &str| {
            format!("{}{inner}{}", opening.repeat(20_000), closing.repeat(20_000))
        };
        for path in [
            deep("(", "x", ")"),
            deep("[", "x", "]"),
            deep("{a: ", "x", "}"),
            deep("!", "x", ""),
            deep("", "x", "|@"),
            deep("", "x", ".y"),
            deep("", "x", "[0]"),
            deep("not_null(", "x", ")"),
            deep("x[?", "x", "]"),
        ] {
            assert_eq!(compile_path(&path).err(), Some(format!("it nests more than {DEEPEST} levels deep")));
        }
    }
}
