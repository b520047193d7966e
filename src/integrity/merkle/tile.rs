// SPDX-License-Identifier: Apache-2.0
//! Tiles: up to 256 neighbouring hashes of one level, and the path each has (C2SP `tlog-tiles`).

use super::SIZE_MAX;
use std::fmt;

/// Hashes in a full tile.
///
/// Example: [`Tile::path`](crate::integrity::merkle::Tile::path).
pub const TILE_WIDTH: u16 = 256;

/// The highest level a tree of [`SIZE_MAX`] leaves has.
const LEVEL_MAX: u8 = 7;

/// Where a tile is, and how many hashes of it are there.
///
/// Hash `i` of the tile with index `n` at level `l` is the root over the `256^l` leaves from leaf
/// `(n × 256 + i) × 256^l` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tile {
    level: u8,
    index: u64,
    width: u16,
}

/// This is no path of a tile.
///
/// Example: [`Tile::path`](crate::integrity::merkle::Tile::path).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    /// Not of the form `tile/<level>/<index>[.p/<width>]`, or not its one spelling.
    #[error("not a tile path")]
    Path,
    /// No tree of up to 2^63 - 1 leaves has such a tile.
    #[error("level, index or width of the tile is out of range")]
    Range,
}

impl Tile {
    /// The tile at this level, with this index, of which `width` hashes are there.
    ///
    /// # Errors
    /// [`TileError::Range`] where no tree has such a tile.
    pub const fn new(level: u8, index: u64, width: u16) -> Result<Self, TileError> {
        if level > LEVEL_MAX || width == 0 || width > TILE_WIDTH {
            return Err(TileError::Range);
        }
        let hashes = SIZE_MAX >> (8 * level as u32);
        let Some(start) = index.checked_mul(TILE_WIDTH as u64) else {
            return Err(TileError::Range);
        };
        match start.checked_add(width as u64) {
            Some(end) if end <= hashes => {}
            _ => return Err(TileError::Range),
        }
        Ok(Self {
            level,
            index,
            width,
        })
    }

    /// The tile as a tree of this size has it; `None` where it has none.
    #[must_use]
    pub fn in_tree(level: u8, index: u64, size: u64) -> Option<Self> {
        let hashes = size.checked_shr(8 * u32::from(level))?;
        let before = index.checked_mul(u64::from(TILE_WIDTH))?;
        let here = hashes.checked_sub(before)?.min(u64::from(TILE_WIDTH));
        Self::new(level, index, u16::try_from(here).ok()?).ok()
    }

    /// Its level, from 0 (leaf hashes) to 7.
    #[must_use]
    pub const fn level(self) -> u8 {
        self.level
    }

    /// Its place in the level, from 0.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.index
    }

    /// Number of hashes in it, 1 to 256.
    #[must_use]
    pub const fn width(self) -> u16 {
        self.width
    }

    /// True where all 256 hashes are there.
    #[must_use]
    pub const fn is_full(self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The tile with all its hashes: what a server may offer in place of a partial one.
    #[must_use]
    pub const fn full(self) -> Self {
        Self {
            width: TILE_WIDTH,
            ..self
        }
    }

    /// Its path: `tile/<level>/<index>[.p/<width>]`.
    #[must_use]
    pub fn path(self) -> String {
        format!("tile/{}/{}", self.level, Numbered(self))
    }

    /// The path of the entries whose leaf hashes a tile of level 0 holds: `tile/entries/…`.
    #[must_use]
    pub fn entries_path(self) -> String {
        format!("tile/entries/{}", Numbered(self))
    }

    /// Reads a path; it has one spelling only.
    ///
    /// # Errors
    /// [`TileError`] where it is no tile's path.
    pub fn from_path(path: &str) -> Result<Self, TileError> {
        // The longest path has 30 characters; nothing longer is worth a look.
        let rest = path.strip_prefix("tile/").filter(|rest| rest.len() < 64);
        let (level, rest) = rest
            .and_then(|rest| rest.split_once('/'))
            .ok_or(TileError::Path)?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().map_err(|_| TileError::Path)?),
            None => (rest, TILE_WIDTH),
        };
        let mut number = 0_u64;
        for element in index.split('/') {
            let digits = element.strip_prefix('x').unwrap_or(element);
            let value: u16 = digits.parse().map_err(|_| TileError::Path)?;
            number = number
                .checked_mul(1000)
                .and_then(|number| number.checked_add(u64::from(value)))
                .ok_or(TileError::Range)?;
        }
        let level = level.parse().map_err(|_| TileError::Path)?;
        let tile = Self::new(level, number, width)?;
        if tile.path() == path {
            Ok(tile)
        } else {
            Err(TileError::Path)
        }
    }
}

/// `<index>[.p/<width>]`, the index in groups of three digits.
struct Numbered(Tile);

impl fmt::Display for Numbered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups = vec![self.0.index % 1000];
        let mut rest = self.0.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        while groups.len() > 1 {
            write!(f, "x{:03}/", groups.pop().unwrap_or_default())?;
        }
        write!(f, "{:03}", groups.pop().unwrap_or_default())?;
        if self.0.is_full() {
            return Ok(());
        }
        write!(f, ".p/{}", self.0.width)
    }
}

/// All tiles of a tree of this size, level by level, from left to right.
pub fn tiles(size: u64) -> impl Iterator<Item = Tile> {
    (0..=LEVEL_MAX)
        .flat_map(move |level| (0_u64..).map_while(move |index| Tile::in_tree(level, index, size)))
}
