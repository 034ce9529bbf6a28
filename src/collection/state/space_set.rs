//! Sets of vector spaces: the active one, which searches see, and during a re-embedding an inactive
//! one. A space that is not re-embedded belongs to both. This module decides to which set a vector
//! belongs, and under which name it is stored.

use std::{collections::BTreeMap, sync::Arc};

use roaring::RoaringBitmap;
use vitrine_schemas::{CollectionConfig, Item, OtherVectors};

use crate::{Error, Result, collection::State, index::SpaceIndex, storage::Placement};

/// Vectors by the name they are stored under.
pub(in crate::collection) type Vectors = BTreeMap<String, Vec<f32>>;

/// Vector spaces that one set of encoders fills.
pub(in crate::collection) struct SpaceSet {
    /// The collection's schema with these spaces and their fingerprint.
    pub config: Arc<CollectionConfig>,
    /// Indexes by space name.
    pub spaces: BTreeMap<String, Arc<SpaceIndex>>,
    pub placement: Placement,
    /// Internal ids of items that cannot be embedded; some may not be live.
    pub left_out: RoaringBitmap,
}

/// The inactive set, with the state of the re-embedding.
pub(in crate::collection) struct InactiveSet {
    pub set: SpaceSet,
    /// Start of the re-embedding, RFC 3339.
    pub started: String,
    pub is_switched: bool,
    pub switched: Option<String>,
}

/// The schemas of both sets.
pub(in crate::collection) struct Configs {
    pub current: Arc<CollectionConfig>,
    pub other: Option<Arc<CollectionConfig>>,
}

impl Configs {
    /// Returns the schema of vectors with this fingerprint; without a fingerprint, the active one.
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

/// A borrowed set.
#[derive(Clone, Copy)]
pub(in crate::collection) struct SetView<'a> {
    pub config: &'a Arc<CollectionConfig>,
    pub spaces: &'a BTreeMap<String, Arc<SpaceIndex>>,
    pub placement: &'a Placement,
    pub left_out: &'a RoaringBitmap,
}

impl<'a> SetView<'a> {
    /// Returns the index of a space by its name.
    pub fn space(self, space: &str) -> Result<&'a Arc<SpaceIndex>> {
        self.spaces.get(space).ok_or_else(|| {
            let known: Vec<_> = self.spaces.keys().map(String::as_str).collect();
            Error::invalid(
                "/space",
                format!("no vector space `{space}`; existing: {}", known.join(", ")),
            )
        })
    }

    /// Returns its spaces that are not in `than`, by name.
    pub fn apart(self, than: SetView<'a>) -> impl Iterator<Item = (&'a str, &'a Arc<SpaceIndex>)> {
        let is_apart = move |(name, index): &(&'a String, &'a Arc<SpaceIndex>)| {
            let there = than.spaces.get(name.as_str());
            !there.is_some_and(|there| Arc::ptr_eq(there, index))
        };
        let spaces = self.spaces.iter().filter(is_apart);
        spaces.map(|(name, index)| (name.as_str(), index))
    }

    /// Returns the internal ids that have a vector in a space that is not in `than`; some may not
    /// be live.
    pub fn members_apart(self, than: SetView<'_>) -> RoaringBitmap {
        let spaces = self.spaces.iter().filter(|(name, index)| {
            let there = than.spaces.get(*name);
            !there.is_some_and(|there| Arc::ptr_eq(there, index))
        });
        spaces.fold(RoaringBitmap::new(), |all, (_, index)| {
            all | index.members()
        })
    }

    /// Returns the vectors of a version of an item by space.
    pub fn vectors_of(self, internal_id: u32) -> Vectors {
        let spaces = self.spaces.iter();
        let vectors =
            spaces.filter_map(|(space, index)| Some((space.clone(), index.vector(internal_id)?)));
        vectors.collect()
    }

    fn stored_as(self, vectors: impl IntoIterator<Item = (String, Vec<f32>)>) -> Vectors {
        let named = |(space, vector): (String, _)| (self.placement.name(&space).to_owned(), vector);
        vectors.into_iter().map(named).collect()
    }

    /// Returns true if a version of an item has exactly these vectors, and at least one.
    fn holds(self, internal_id: u32, vectors: &Vectors) -> bool {
        let same = |(space, index): (&String, &Arc<SpaceIndex>)| {
            index.vector(internal_id).as_ref() == vectors.get(self.placement.name(space))
        };
        !vectors.is_empty() && self.spaces.iter().all(same)
    }
}

impl SpaceSet {
    /// Borrows the set.
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
    /// Borrows the active set.
    pub(in crate::collection) fn view(&self) -> SetView<'_> {
        SetView {
            config: &self.config,
            spaces: &self.spaces,
            placement: &self.placement,
            left_out: &self.left_out,
        }
    }

    /// Returns the set of a fingerprint; without a fingerprint, the active one.
    pub(in crate::collection) fn set_of(&self, fingerprint: Option<&str>) -> Result<SetView<'_>> {
        let configs = self.configs();
        let config = configs.of(fingerprint)?;
        Ok(match &self.other {
            Some(other) if Arc::ptr_eq(config, &other.set.config) => other.set.view(),
            _ => self.view(),
        })
    }

    /// Returns the schemas of both sets.
    pub(in crate::collection) fn configs(&self) -> Configs {
        Configs {
            current: self.config.clone(),
            other: self.other.as_ref().map(|other| other.set.config.clone()),
        }
    }

    /// Returns every index once.
    pub(in crate::collection) fn every_space(&self) -> impl Iterator<Item = &Arc<SpaceIndex>> {
        let other = self.other.iter();
        let apart = other.flat_map(|other| other.set.view().apart(self.view()));
        self.spaces.values().chain(apart.map(|(_, index)| index))
    }

    /// Returns every index by its stored name.
    pub(in crate::collection) fn indexes(&self) -> BTreeMap<String, Arc<SpaceIndex>> {
        let sets = [Some(self.view()), self.other.as_ref().map(|o| o.set.view())];
        let spaces = sets.into_iter().flatten().flat_map(|set| {
            let spaces = set.spaces.iter();
            spaces.map(move |(name, index)| (set.placement.name(name).to_owned(), index.clone()))
        });
        spaces.collect()
    }

    /// Returns all names under which vectors or markers of an item may be stored.
    pub(in crate::collection) fn stored_names(&self) -> Vec<String> {
        let sets = [Some(self.view()), self.other.as_ref().map(|o| o.set.view())];
        let marks = sets.iter().flatten().map(|set| set.placement.left_out());
        let marks: Vec<_> = marks.filter(|_| self.other.is_some()).collect();
        self.indexes().into_keys().chain(marks).collect()
    }

    /// Returns (set with this fingerprint, other set); without a fingerprint, the active set comes
    /// first. None without a re-embedding.
    fn sides(&self, fingerprint: Option<&str>) -> Option<(SetView<'_>, SetView<'_>)> {
        let (current, other) = (self.view(), self.other.as_ref()?.set.view());
        let is_other = fingerprint.is_some() && fingerprint == other.config.fingerprint.as_deref();
        Some(if is_other {
            (other, current)
        } else {
            (current, other)
        })
    }

    /// Returns the vectors of a version of an item in the set that does not have this fingerprint.
    pub(in crate::collection) fn beside(
        &self,
        fingerprint: Option<&str>,
        internal_id: u32,
    ) -> Option<OtherVectors> {
        let (to, rest) = self.sides(fingerprint)?;
        let vectors = rest.apart(to);
        let vectors =
            vectors.filter_map(|(s, index)| Some((s.to_owned(), index.vector(internal_id)?)));
        Some(OtherVectors {
            fingerprint: rest.config.fingerprint.clone().unwrap_or_default(),
            vectors: vectors.collect(),
        })
    }

    /// Takes the vectors out of a new version of an item, by stored name. If it brings none for the
    /// other set, but its own are those of the version before, its content has not changed: the
    /// vectors that the other set has of that version are kept.
    pub(in crate::collection) fn place(&self, item: &mut Item, before: Option<u32>) -> Vectors {
        let given = std::mem::take(&mut item.vectors);
        let also = item.other_vectors.take();
        let Some((to, rest)) = self.sides(item.fingerprint.as_deref()) else {
            return self.view().stored_as(given);
        };
        let mut placed = to.stored_as(given);
        let also = also.or_else(|| {
            let before = before.filter(|internal_id| to.holds(*internal_id, &placed))?;
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
