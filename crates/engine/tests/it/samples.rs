//! The inputs of the reference cases: the generators of `tests/deequ/README.md`.

use serde_json::Value;

/// The linear congruential generator of the reference cases.
pub struct Generator {
    state: u64,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.state
    }

    fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// The values of a sample by its description.
pub fn sample(description: &Value) -> Vec<f64> {
    let number = |key: &str| description[key].as_f64().unwrap();
    let whole = |key: &str| description[key].as_u64().unwrap();
    let kind = description["kind"].as_str().unwrap();
    match kind {
        "values" => return numbers(&description["values"]),
        "repeat" => {
            let values = numbers(&description["values"]);
            return values.into_iter().cycle().take(whole("n") as usize).collect();
        }
        _ => {}
    }
    let n = whole("n");
    let mut generator = Generator::new(description["seed"].as_u64().unwrap_or(0));
    let value = |i: u64| match kind {
        "const" => number("value"),
        "uniform" => number("lo") + generator.unit() * (number("hi") - number("lo")),
        "sum4" => {
            let t = generator.unit() + generator.unit() + generator.unit() + generator.unit();
            (t - 2.0) * number("scale") + number("shift")
        }
        "cube" => {
            let t = 2.0 * generator.unit() - 1.0;
            t * t * t * number("scale") + number("shift")
        }
        "discrete" => (generator.unit() * number("card")).floor() * number("step") + number("shift"),
        "asc" => i as f64 * number("step") + number("shift"),
        "desc" => (n - 1 - i) as f64 * number("step") + number("shift"),
        "mod" => ((i * whole("mul")) % whole("mod")) as f64,
        _ => panic!("no generator {kind}"),
    };
    (0..n).map(value).collect()
}

pub fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

pub fn counts(list: &Value) -> Vec<(String, u64)> {
    let pair = |pair: &Value| (pair[0].as_str().unwrap().to_owned(), pair[1].as_u64().unwrap());
    list.as_array().unwrap().iter().map(pair).collect()
}

/// The `cases` of a reference file.
pub fn cases(file: &str) -> Vec<Value> {
    let mut document: Value = serde_json::from_str(file).unwrap();
    let Value::Array(cases) = document["cases"].take() else { panic!("no cases") };
    assert!(!cases.is_empty());
    cases
}
