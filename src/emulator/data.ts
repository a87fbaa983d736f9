import { sparkId } from './people.js';

/** The standard fields of a listing. All values are made up. */
export interface StandardFields {
  readonly ListingId: string;
  readonly ListPrice: number;
  readonly City: string;
  readonly StateOrProvince: string;
  readonly PostalCode: string;
  readonly StreetNumber: string;
  readonly StreetName: string;
  readonly BedsTotal: number;
  readonly BathsTotal: number;
  readonly BuildingAreaTotal: number;
  readonly MlsStatus: string;
  readonly PropertyType: string;
  readonly ListOfficeName: string;
  readonly PublicRemarks: string;
  readonly ModificationTimestamp: string;
}

/** A listing as `/v1/listings` shows it, without its `ResourceUri`. */
export interface Listing {
  readonly Id: string;
  readonly StandardFields: StandardFields;
}

/** Values of the standard field `City`. */
export const CITIES: readonly string[] = [
  'Springfield',
  'Brightwater',
  'Oakhollow',
  'Fernbridge',
  'Saint-Élan',
  "Miller's Rest",
];

/** Names of the standard fields; also what may be filtered, ordered and selected. */
export const FIELD_NAMES: readonly (keyof StandardFields)[] = [
  'ListingId',
  'ListPrice',
  'City',
  'StateOrProvince',
  'PostalCode',
  'StreetNumber',
  'StreetName',
  'BedsTotal',
  'BathsTotal',
  'BuildingAreaTotal',
  'MlsStatus',
  'PropertyType',
  'ListOfficeName',
  'PublicRemarks',
  'ModificationTimestamp',
];

/** Photos that every listing has. */
export const PHOTOS_PER_LISTING = 3;

const LISTING_COUNT = 72;
const STREETS: readonly string[] = ['Lantern Lane', 'Copper Court', 'Willow Walk', 'Harbor Hill', 'Quarry Close'];

/** The listings: the same in every run and every process. */
export const LISTINGS: readonly Listing[] = Array.from({ length: LISTING_COUNT }, (_, index) => listing(index));

function listing(index: number): Listing {
  // Primes spread the values, so that neighbours differ and every price occurs once.
  const price = 95_000 + ((index * 37) % LISTING_COUNT) * 12_500;
  const city = pick(CITIES, index);
  const beds = 1 + ((index * 5) % 6);
  return {
    Id: sparkId(`listing:${index}`),
    StandardFields: {
      ListingId: `EX-${String(1_000 + index)}`,
      ListPrice: price,
      City: city,
      StateOrProvince: 'EX',
      PostalCode: String(10 + (index % CITIES.length)).padStart(5, '0'),
      StreetNumber: String(10 + index * 3),
      StreetName: pick(STREETS, index * 3),
      BedsTotal: beds,
      BathsTotal: 1 + (index % 3),
      BuildingAreaTotal: 600 + ((index * 61) % 40) * 75,
      MlsStatus: index % 7 === 0 ? 'Pending' : 'Active',
      PropertyType: index % 5 === 0 ? 'B' : 'A',
      ListOfficeName: 'Example Realty',
      PublicRemarks: `Synthetic listing ${index + 1}: ${beds} bedrooms in ${city}.`,
      ModificationTimestamp: new Date(Date.UTC(2024, 0, 1 + index)).toISOString(),
    },
  };
}

function pick(values: readonly string[], index: number): string {
  return values[index % values.length] ?? '';
}
