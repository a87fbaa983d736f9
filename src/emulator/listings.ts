import type { Router } from 'express';
import { resource } from './call.js';
import { CITIES, LISTINGS, type Listing, PHOTOS_PER_LISTING } from './data.js';
import { ApiRefusal, sendResults } from './envelope.js';
import { filterListings, orderListings, paginate, selectFields } from './listing-query.js';

/** Listings, their photos, and the values of the field that they are searched by. */
export function addListingResources(router: Router): void {
  resource(router, '/v1/listings', {
    GET: ({ res, query }) => {
      const found = orderListings(filterListings(LISTINGS, query.get('_filter')), query.get('_orderby'));
      const { items, ...more } = paginate(found, query);
      sendResults(
        res,
        items.map((listing) => listingResult(listing, query.get('_select'))),
        more,
      );
    },
  });
  resource(router, '/v1/listings/:id', {
    GET: ({ req, res, query }) => sendResults(res, [listingResult(listingById(req.params.id), query.get('_select'))]),
  });
  resource(router, '/v1/listings/:id/photos', {
    GET: ({ req, res, origin }) => sendResults(res, photosOf(listingById(req.params.id), origin)),
  });
  resource(router, '/v1/standardfields/City', {
    GET: ({ res }) => sendResults(res, [{ City: cityField() }]),
  });
}

function listingResult(listing: Listing, select: string | null): object {
  return {
    ResourceUri: `/v1/listings/${listing.Id}`,
    Id: listing.Id,
    StandardFields: selectFields(listing.StandardFields, select),
  };
}

function listingById(id: unknown): Listing {
  const listing = LISTINGS.find((candidate) => candidate.Id === id);
  if (listing === undefined) throw new ApiRefusal(404, `There is no listing with the Id ${String(id)}`);
  return listing;
}

function photosOf(listing: Listing, origin: string): readonly object[] {
  return Array.from({ length: PHOTOS_PER_LISTING }, (_, index) => {
    const id = `${listing.Id}-${index + 1}`;
    const uri = `${origin}/v1/photos/${id}.png`;
    return {
      ResourceUri: `/v1/listings/${listing.Id}/photos/${id}`,
      Id: id,
      Name: `Photo ${index + 1}`,
      Caption: '',
      Primary: index === 0,
      UriThumb: uri,
      Uri300: uri,
      UriLarge: uri,
    };
  });
}

function cityField(): object {
  return {
    ResourceUri: '/v1/standardfields/City',
    Searchable: true,
    Type: 'Character',
    HasList: true,
    FieldList: CITIES.map((city) => ({ Name: city, Value: city, AppliesTo: ['A', 'B'] })),
  };
}
