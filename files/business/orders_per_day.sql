-- Copyright: crowsnest contributors
-- SPDX-License-Identifier: Apache-2.0
SELECT CAST(shop_order.placed_at AS date) AS day, COUNT(*) AS orders
FROM public.shop_order
WHERE shop_order.status = 'paid'
  [[AND {{period}}]]
  [[AND {{region}}]]
GROUP BY 1
ORDER BY 1
