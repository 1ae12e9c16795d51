//! What the databases call by different names.

/// Whose SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgresql,
}

impl Dialect {
    /// The statement of this database.
    pub(crate) const fn choose(self, sqlite: &'static str, postgresql: &'static str) -> &'static str {
        match self {
            Self::Sqlite => sqlite,
            Self::Postgresql => postgresql,
        }
    }

    /// A column of texts that compare without regard to the case of ASCII letters, as indexes have it. In `SQLite` the
    /// column itself does (`COLLATE NOCASE`); what it is compared with has to be in lower case for both.
    pub(crate) fn folded(self, column: &str) -> String {
        match self {
            Self::Sqlite => column.to_owned(),
            Self::Postgresql => format!("lower({column})"),
        }
    }

    /// The function that gives the place of one text in another, from 1; 0 where it is not there.
    pub(crate) const fn position_function(self) -> &'static str {
        self.choose("instr", "strpos")
    }

    /// A number that is missing counts as -1, as an index has it: to `SQLite` a function of another name is another one.
    pub(crate) fn or_minus_one(self, column: &str) -> String {
        format!("{}({column}, -1)", self.choose("ifnull", "coalesce"))
    }

    /// What makes a table with the column `value` of a JSON array of texts that hold no NUL, or of numbers as texts.
    pub(crate) fn elements_of_json(self, array: &str) -> String {
        match self {
            Self::Sqlite => format!("json_each({array})"),
            Self::Postgresql => format!("json_array_elements_text(cast({array} AS json))"),
        }
    }

    /// At the end of a `SELECT` in a transaction: nobody else changes or deletes the row until the end. `SQLite` has one
    /// writer at a time.
    pub(crate) const fn for_update(self) -> &'static str {
        self.choose("", " FOR UPDATE")
    }

    /// The same, but others may change the row, only not delete it.
    pub(crate) const fn for_key_share(self) -> &'static str {
        self.choose("", " FOR KEY SHARE")
    }
}
