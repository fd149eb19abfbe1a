/**
 * What the charts ask, counted beforehand: each event of each hour, and how often a read took so long. Triggers keep it
 * equal to the records, whatever adds them or takes them away, so that it can never tell of others than they do. It is
 * smaller than they are: a row for each hour, tenant, type and outcome, and one for each time that was measured in it.
 */
export const hourMs = 3_600_000

const counted = [
  'launch.authorized',
  'launch.refused',
  'launch.failed',
  'fhir.access',
  'fhir.refused',
  'fhir.failed',
  'token.refreshed',
  'token.refused',
]
  .map((event) => `'${event}'`)
  .join(',')

const hourOf = (row: 'new' | 'old'): string => `${row}.at / ${String(hourMs)}`
const keyOf = (row: 'new' | 'old'): string =>
  `event = ${row}.event AND hour = ${hourOf(row)} AND tenant = coalesce(${row}.tenant, '')` +
  ` AND resource = coalesce(${row}.resource, '') AND outcome = ${row}.outcome`
const timeOf = (row: 'new' | 'old'): string =>
  `hour = ${hourOf(row)} AND tenant = coalesce(${row}.tenant, '') AND ms = ${row}.ms`

export const hourlySchema = `
CREATE TABLE hourly (
  event TEXT NOT NULL, hour INTEGER NOT NULL, tenant TEXT NOT NULL, resource TEXT NOT NULL, outcome TEXT NOT NULL,
  count INTEGER NOT NULL, PRIMARY KEY (event, hour, tenant, resource, outcome)
) WITHOUT ROWID;
CREATE TABLE hourly_times (
  hour INTEGER NOT NULL, tenant TEXT NOT NULL, ms INTEGER NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (hour, tenant, ms)
) WITHOUT ROWID;
CREATE TRIGGER count_added AFTER INSERT ON records WHEN new.event IN (${counted}) BEGIN
  INSERT INTO hourly VALUES
    (new.event, ${hourOf('new')}, coalesce(new.tenant, ''), coalesce(new.resource, ''), new.outcome, 1)
    ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER count_removed AFTER DELETE ON records WHEN old.event IN (${counted}) BEGIN
  UPDATE hourly SET count = count - 1 WHERE ${keyOf('old')};
  DELETE FROM hourly WHERE ${keyOf('old')} AND count = 0;
END;
CREATE TRIGGER time_added AFTER INSERT ON records WHEN new.event = 'fhir.access' AND new.ms IS NOT NULL BEGIN
  INSERT INTO hourly_times VALUES (${hourOf('new')}, coalesce(new.tenant, ''), new.ms, 1)
    ON CONFLICT DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER time_removed AFTER DELETE ON records WHEN old.event = 'fhir.access' AND old.ms IS NOT NULL BEGIN
  UPDATE hourly_times SET count = count - 1 WHERE ${timeOf('old')};
  DELETE FROM hourly_times WHERE ${timeOf('old')} AND count = 0;
END;
`
