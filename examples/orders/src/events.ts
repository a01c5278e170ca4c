import { z } from 'zod'

/** What the services tell each other: types of events and the shape of their data. */

export const ORDER_CREATED = 'com.example.order.created'
export const PAYMENT_PROCESSED = 'com.example.payment.processed'

/** What a customer asks for. */
export const orderRequest = z.object({
  sku: z.string().min(1).max(40),
  quantity: z.int().min(1).max(1000),
  /** Price of all of it. */
  cents: z.int().min(0),
})

/** Data of ORDER_CREATED. */
export const order = orderRequest.extend({ orderId: z.string() })
export type Order = z.infer<typeof order>

/** Data of PAYMENT_PROCESSED. */
export const payment = z.object({ orderId: z.string(), paymentId: z.string(), cents: z.int() })
export type Payment = z.infer<typeof payment>
