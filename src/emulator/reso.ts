import type { Router } from 'express';
import { resource } from './call.js';
import { LISTINGS, type Listing } from './data.js';
import { ApiRefusal } from './envelope.js';

// Keys may arrive with their quotes encoded; Express decodes what the groups catch, not what surrounds them.
const ONE_PROPERTY = /^\/(?:Version\/3\/)?Reso\/OData\/Property\((?:'|%27)([^'/]*?)(?:'|%27)\)$/;
const PROPERTIES = /^\/(?:Version\/3\/)?Reso\/OData\/Property$/;

/** The RESO Web API, as far as a proxy cares: one entity by key, the entity set with `$top`, `$skip`, `$select`. */
export function addResoResources(router: Router): void {
  resource(router, ONE_PROPERTY, {
    GET: ({ req, res, origin }) => {
      const key = req.params[0];
      const listing = LISTINGS.find((candidate) => candidate.Id === key);
      if (listing === undefined) throw new ApiRefusal(404, `There is no Property('${String(key)}')`);
      res.json({ '@odata.context': `${origin}/Reso/OData/$metadata#Property/$entity`, ...property(listing, null) });
    },
  });
  resource(router, PROPERTIES, {
    GET: ({ res, origin, query }) => {
      refuseUnknown(query);
      const skip = count(query, '$skip', 0);
      const part = LISTINGS.slice(skip, skip + count(query, '$top', 10));
      const select = query.get('$select');
      res.json({
        '@odata.context': `${origin}/Reso/OData/$metadata#Property`,
        value: part.map((listing) => property(listing, select)),
      });
    },
  });
}

function property({ Id, StandardFields: fields }: Listing, select: string | null): object {
  const all = {
    ListingKey: Id,
    ListingId: fields.ListingId,
    ListPrice: fields.ListPrice,
    City: fields.City,
    BedroomsTotal: fields.BedsTotal,
    StandardStatus: fields.MlsStatus,
    ModificationTimestamp: fields.ModificationTimestamp,
  };
  if (select === null) return all;
  const wanted = new Set(select.split(','));
  return Object.fromEntries(Object.entries(all).filter(([name]) => wanted.has(name)));
}

function refuseUnknown(query: URLSearchParams): void {
  for (const name of query.keys()) {
    if (name.startsWith('$') && !['$top', '$skip', '$select'].includes(name)) {
      throw new ApiRefusal(1053, `The emulator does not support ${name}`);
    }
  }
}

function count(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  if (!/^\d{1,6}$/.test(text)) throw new ApiRefusal(1053, `${name} must be a whole number`);
  return Number(text);
}
