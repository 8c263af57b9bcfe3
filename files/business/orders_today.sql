-- Copyright: crowsnest contributors
-- SPDX-License-Identifier: Apache-2.0
SELECT COUNT(*) AS orders
FROM public.shop_order
WHERE shop_order.status = 'paid'
  AND shop_order.placed_at >= date_trunc('day', now())
  [[AND {{region}}]]
