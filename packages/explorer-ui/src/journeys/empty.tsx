import { fetchStatus } from '../api/client.ts'
import { useQuery } from '../api/query.ts'
import { CopyButton } from '../ui/copy.tsx'
import { Message } from '../ui/message.tsx'

/** What to do when there is nothing to see: where to send telemetry, or a demo. */
export function Empty() {
  const status = useQuery('status', (_, signal) => fetchStatus(signal))
  const endpoint = status.data?.otlpHttp ?? 'http://127.0.0.1:4318'
  const variable = `OTEL_EXPORTER_OTLP_ENDPOINT=${endpoint}`
  return (
    <Message title="No journeys yet">
      <p>Send your services’ telemetry here. Journeys appear in this list as they arrive.</p>
      <div className="command">
        <code>{variable}</code>
        <CopyButton text={variable} />
      </div>
      <p>Or watch a sensor reading go through HTTP, Kafka and MQTT to a device:</p>
      <div className="command">
        <code>npx throughline demo</code>
        <CopyButton text="npx throughline demo" />
      </div>
    </Message>
  )
}
