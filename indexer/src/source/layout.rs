//! Meaning of the rows of a format: which rows are one product, and its item.

use vitrine_schemas::Item;

use super::{
    Record,
    cells::{self, Marks, Row},
    line::Line,
    rules::{Member, PRICES, Rules},
    tidy::tidy,
    variants,
};

/// Layout of a catalog.
pub(super) trait Layout: Send {
    /// Returns the key of the product of a row; `None` if no other row can belong to it. Called for
    /// each row in order.
    fn key(&mut self, line: &Line) -> Option<String>;

    /// Returns the id of a row that cannot be read otherwise.
    fn id(&self, row: &Row) -> Option<String>;

    /// Returns the columns of prices.
    fn prices(&self) -> Vec<String>;

    /// Returns the fields and attributes with their columns.
    fn fields(&self, row: &Row) -> Vec<(String, String)>;

    /// Converts the rows of a product; rows that cannot be used are records of their own.
    fn product(&mut self, key: Option<String>, rows: Vec<Line>, marks: &Marks) -> Vec<Record>;
}

/// Rows are items by rules, those of one group variants of one item.
pub(super) struct Table {
    rules: Rules,
    /// True if each row has columns of its own, as in JSON and XML.
    is_open: bool,
    columns: Vec<String>,
    has_variants: bool,
}

impl Table {
    /// Creates the layout of rows that all have the same columns.
    pub fn fixed(rules: Rules, has_variants: bool) -> Self {
        let mut layout = Self {
            rules,
            is_open: false,
            columns: Vec::new(),
            has_variants,
        };
        layout.apply_variants();
        layout
    }

    /// Creates the layout of rows whose columns are recognized by their names in each row.
    pub fn open(has_variants: bool) -> Self {
        Self {
            rules: Rules::default(),
            is_open: true,
            columns: Vec::new(),
            has_variants,
        }
    }

    fn apply_variants(&mut self) {
        if !self.has_variants {
            self.rules.without_variants();
        }
    }

    /// Returns the rules of a row.
    pub(super) fn rules(&mut self, row: &Row) -> Result<&Rules, String> {
        if self.is_open && !row.keys().eq(&self.columns) {
            let columns: Vec<_> = row.keys().cloned().collect();
            self.rules = Rules::by_name(&columns)?;
            self.columns = columns;
            self.apply_variants();
        }
        Ok(&self.rules)
    }

    fn member(&mut self, line: &Line, marks: &Marks) -> Result<Member, String> {
        if let Some(item) = &line.item {
            return Ok(of_item(line.line, (**item).clone()));
        }
        let mut member = self.rules(&line.row)?.member(line.line, &line.row, marks)?;
        if self.is_open {
            let mut rules_of = |row: &Row| self.rules(row).cloned();
            super::json_item::nested(&mut rules_of, &mut member, &line.row, marks)?;
        }
        Ok(member)
    }
}

impl Layout for Table {
    fn key(&mut self, line: &Line) -> Option<String> {
        if let Some(item) = &line.item {
            return self.has_variants.then(|| item.id.clone());
        }
        let row = &line.row;
        let may_be_parent = self.is_open && self.has_variants;
        let rules = self.rules(row).ok()?;
        // A row without a group may be the parent of one, by its id.
        let parent = || cells::plain(row, &rules.id);
        let key = rules.group(row);
        key.or_else(|| (may_be_parent || rules.has_groups()).then(parent)?)
    }

    fn id(&self, row: &Row) -> Option<String> {
        let id = if self.is_open { "id" } else { &self.rules.id };
        self.rules.group(row).or_else(|| cells::plain(row, id))
    }

    fn prices(&self) -> Vec<String> {
        if self.is_open {
            return PRICES.iter().map(|name| (*name).to_owned()).collect();
        }
        self.rules.prices().map(str::to_owned).collect()
    }

    fn fields(&self, row: &Row) -> Vec<(String, String)> {
        let columns: Vec<_> = row.keys().cloned().collect();
        let own = self
            .is_open
            .then(|| Rules::by_name(&columns).unwrap_or_default());
        let fields = own.as_ref().unwrap_or(&self.rules).fields();
        fields.map(|(f, c)| (f.to_owned(), c.to_owned())).collect()
    }

    fn product(&mut self, key: Option<String>, rows: Vec<Line>, marks: &Marks) -> Vec<Record> {
        let mut records = Vec::new();
        let (mut parents, mut members) = (Vec::new(), Vec::new());
        for row in rows {
            let member = self.member(&row, marks);
            let is_member =
                row.item.is_none() && key.is_some() && self.rules.group(&row.row).is_some();
            match member {
                Ok(member) if is_member => members.push(member),
                Ok(member) => parents.push(member),
                Err(reason) => {
                    let id = key.clone().or_else(|| self.id(&row.row));
                    records.push(Record::rejected(row.line, id, reason));
                }
            }
        }
        if members.is_empty() {
            records.extend(parents.into_iter().map(record));
        } else if let Some(key) = key {
            records.push(joined(key, parents, members));
        }
        records
    }
}

/// Returns the record of a row that is an item of the API.
pub(super) fn item_record(line: Line) -> Record {
    let number = line.line;
    match line.item {
        Some(item) => record(of_item(number, *item)),
        None => Record::rejected(number, None, "expected an item".to_owned()),
    }
}

fn of_item(line: u64, item: Item) -> Member {
    Member {
        line,
        item,
        is_delete: false,
        notes: Vec::new(),
    }
}

/// Returns the record of a product of one row.
fn record(mut member: Member) -> Record {
    tidy(&mut member.item, member.line, &mut member.notes);
    Record {
        line: member.line,
        id: Some(member.item.id.clone()),
        item: Ok(member.item),
        is_delete: member.is_delete,
        notes: member.notes,
        superseded: Vec::new(),
    }
}

/// Returns the record of a group of rows.
fn joined(key: String, mut parents: Vec<Member>, members: Vec<Member>) -> Record {
    let line = members.iter().chain(&parents).map(|m| m.line).min();
    let line = line.unwrap_or_default();
    let mut notes = Vec::new();
    let mut superseded: Vec<u64> = parents.iter().rev().skip(1).map(|p| p.line).collect();
    for member in parents.iter().chain(&members) {
        notes.extend(member.notes.iter().cloned());
    }
    let is_deleted = parents.last().is_some_and(|p| p.is_delete);
    let mut kept: Vec<Member> = members.into_iter().filter(|m| !m.is_delete).collect();
    if kept.iter().any(|member| !member.item.hidden) {
        kept.retain(|member| !member.item.hidden);
    }
    let mut base = match parents.pop() {
        Some(parent) if !parent.is_delete => parent.item,
        _ => Item::default(),
    };
    base.id.clone_from(&key);
    if is_deleted || kept.is_empty() {
        return Record {
            line,
            id: Some(key),
            item: Ok(base),
            is_delete: true,
            notes,
            superseded,
        };
    }
    base.hidden |= kept.iter().all(|member| member.item.hidden);
    let (mut item, lines) = variants::join_with_ids(base, kept);
    superseded.extend(lines);
    tidy(&mut item, line, &mut notes);
    Record {
        line,
        id: Some(key),
        item: Ok(item),
        is_delete: false,
        notes,
        superseded,
    }
}
