//! Sets of vector spaces: the one that searches see and, while a collection is re-embedded, the other one. A space that is not
//! re-embedded is in both. Here is which set a vector belongs to, and under which name it is stored.

use std::{collections::BTreeMap, sync::Arc};

use roaring::RoaringBitmap;
use vitrine_schemas::{CollectionConfig, Item, OtherVectors};

use super::State;
use crate::{Error, Result, index::SpaceIndex, storage::Placement};

/// Vectors by the name they are stored under.
pub(super) type Vectors = BTreeMap<String, Vec<f32>>;

/// Spaces as one set of encoders fills them.
pub(super) struct SpaceSet {
    /// The collection's schema with these spaces and their fingerprint.
    pub config: Arc<CollectionConfig>,
    /// By their names.
    pub spaces: BTreeMap<String, Arc<SpaceIndex>>,
    pub placement: Placement,
    /// Numbers of items that cannot be embedded; some may be dead.
    pub left_out: RoaringBitmap,
}

/// The set that is not in use.
pub(super) struct Other {
    pub set: SpaceSet,
    /// RFC 3339.
    pub started: String,
    pub is_switched: bool,
    pub switched: Option<String>,
}

/// The schemas of both sets.
pub(super) struct Configs {
    pub current: Arc<CollectionConfig>,
    pub other: Option<Arc<CollectionConfig>>,
}

impl Configs {
    /// The schema that vectors with this fingerprint are checked by; without one, the current.
    pub fn of(&self, fingerprint: Option<&str>) -> Result<&Arc<CollectionConfig>> {
        let Some(found) = fingerprint else {
            return Ok(&self.current);
        };
        let is_of = |config: &&Arc<CollectionConfig>| config.fingerprint.as_deref() == Some(found);
        if let Some(other) = self.other.as_ref().filter(is_of) {
            return Ok(other);
        }
        match &self.current.fingerprint {
            Some(expected) if expected != found => Err(Error::FingerprintMismatch {
                expected: expected.clone(),
                found: found.to_owned(),
            }),
            _ => Ok(&self.current),
        }
    }
}

/// A set by reference.
#[derive(Clone, Copy)]
pub(super) struct SetView<'a> {
    pub config: &'a Arc<CollectionConfig>,
    pub spaces: &'a BTreeMap<String, Arc<SpaceIndex>>,
    pub placement: &'a Placement,
    pub left_out: &'a RoaringBitmap,
}

impl<'a> SetView<'a> {
    /// A space by its name.
    pub fn space(self, space: &str) -> Result<&'a Arc<SpaceIndex>> {
        self.spaces.get(space).ok_or_else(|| {
            let known: Vec<_> = self.spaces.keys().map(String::as_str).collect();
            Error::invalid(
                "/space",
                format!("no vector space `{space}`; there are: {}", known.join(", ")),
            )
        })
    }

    /// Its spaces that are not in `than`, by name.
    pub fn apart(self, than: SetView<'a>) -> impl Iterator<Item = (&'a str, &'a Arc<SpaceIndex>)> {
        let is_apart = move |(name, index): &(&'a String, &'a Arc<SpaceIndex>)| {
            let there = than.spaces.get(name.as_str());
            !there.is_some_and(|there| Arc::ptr_eq(there, index))
        };
        let spaces = self.spaces.iter().filter(is_apart);
        spaces.map(|(name, index)| (name.as_str(), index))
    }

    /// Numbers that have a vector in a space that is not in `than`; some may be dead.
    pub fn members_apart(self, than: SetView<'_>) -> RoaringBitmap {
        let spaces = self.spaces.iter().filter(|(name, index)| {
            let there = than.spaces.get(*name);
            !there.is_some_and(|there| Arc::ptr_eq(there, index))
        });
        spaces.fold(RoaringBitmap::new(), |all, (_, index)| {
            all | index.members()
        })
    }

    fn stored_as(self, vectors: impl IntoIterator<Item = (String, Vec<f32>)>) -> Vectors {
        let named = |(space, vector): (String, _)| (self.placement.name(&space).to_owned(), vector);
        vectors.into_iter().map(named).collect()
    }

    /// Whether a version of an item has exactly these vectors, and any at all.
    fn holds(self, number: u32, vectors: &Vectors) -> bool {
        let same = |(space, index): (&String, &Arc<SpaceIndex>)| {
            index.vector(number).as_ref() == vectors.get(self.placement.name(space))
        };
        !vectors.is_empty() && self.spaces.iter().all(same)
    }
}

impl SpaceSet {
    /// The set by reference.
    pub fn view(&self) -> SetView<'_> {
        SetView {
            config: &self.config,
            spaces: &self.spaces,
            placement: &self.placement,
            left_out: &self.left_out,
        }
    }
}

impl State {
    /// The set in use.
    pub(super) fn view(&self) -> SetView<'_> {
        SetView {
            config: &self.config,
            spaces: &self.spaces,
            placement: &self.placement,
            left_out: &self.left_out,
        }
    }

    /// The set that vectors with this fingerprint belong to; without one, that in use.
    pub(super) fn set_of(&self, fingerprint: Option<&str>) -> Result<SetView<'_>> {
        let configs = self.configs();
        let config = configs.of(fingerprint)?;
        Ok(match &self.other {
            Some(other) if Arc::ptr_eq(config, &other.set.config) => other.set.view(),
            _ => self.view(),
        })
    }

    /// The schemas of both sets.
    pub(super) fn configs(&self) -> Configs {
        Configs {
            current: self.config.clone(),
            other: self.other.as_ref().map(|other| other.set.config.clone()),
        }
    }

    /// Every index, each once.
    pub(super) fn every_space(&self) -> impl Iterator<Item = &Arc<SpaceIndex>> {
        let other = self.other.iter();
        let apart = other.flat_map(|other| other.set.view().apart(self.view()));
        self.spaces.values().chain(apart.map(|(_, index)| index))
    }

    /// Every index by the name that its vectors are stored under.
    pub(super) fn indexes(&self) -> BTreeMap<String, Arc<SpaceIndex>> {
        let sets = [Some(self.view()), self.other.as_ref().map(|o| o.set.view())];
        let spaces = sets.into_iter().flatten().flat_map(|set| {
            let spaces = set.spaces.iter();
            spaces.map(move |(name, index)| (set.placement.name(name).to_owned(), index.clone()))
        });
        spaces.collect()
    }

    /// Names that something may be stored under for an item.
    pub(super) fn stored_names(&self) -> Vec<String> {
        let sets = [Some(self.view()), self.other.as_ref().map(|o| o.set.view())];
        let marks = sets.iter().flatten().map(|set| set.placement.left_out());
        let marks: Vec<_> = marks.filter(|_| self.other.is_some()).collect();
        self.indexes().into_keys().chain(marks).collect()
    }

    /// The set that vectors with this fingerprint belong to, without one that in use, and the one that they do not belong to.
    fn sides(&self, fingerprint: Option<&str>) -> Option<(SetView<'_>, SetView<'_>)> {
        let (current, other) = (self.view(), self.other.as_ref()?.set.view());
        let is_other = fingerprint.is_some() && fingerprint == other.config.fingerprint.as_deref();
        Some(match is_other {
            true => (other, current),
            false => (current, other),
        })
    }

    /// What a version of an item has of the set that vectors with this fingerprint do not belong to.
    pub(super) fn beside(&self, fingerprint: Option<&str>, number: u32) -> Option<OtherVectors> {
        let (to, rest) = self.sides(fingerprint)?;
        let vectors = rest.apart(to);
        let vectors = vectors.filter_map(|(s, index)| Some((s.to_owned(), index.vector(number)?)));
        Some(OtherVectors {
            fingerprint: rest.config.fingerprint.clone().unwrap_or_default(),
            vectors: vectors.collect(),
        })
    }

    /// Takes the vectors of a new version of an item out of it: those it brings, and those of the other encoders too. Where it
    /// brings none of the latter but its vectors are those of the version before, so is its content, and what the other encoders made of that
    /// stays.
    pub(super) fn place(&self, item: &mut Item, before: Option<u32>) -> Vectors {
        let given = std::mem::take(&mut item.vectors);
        let also = item.other_vectors.take();
        let Some((to, rest)) = self.sides(item.fingerprint.as_deref()) else {
            return self.view().stored_as(given);
        };
        let mut placed = to.stored_as(given);
        let also = also.or_else(|| {
            let before = before.filter(|number| to.holds(*number, &placed))?;
            self.beside(item.fingerprint.as_deref(), before)
        });
        if let Some(also) = also {
            let apart: Vec<_> = rest.apart(to).map(|(space, _)| space).collect();
            let vectors = also.vectors.into_iter();
            placed.extend(rest.stored_as(vectors.filter(|(s, _)| apart.contains(&s.as_str()))));
        }
        placed
    }
}
