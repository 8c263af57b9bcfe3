-- Copyright: crowsnest contributors
-- SPDX-License-Identifier: Apache-2.0
SELECT shop_order.region AS region, SUM(shop_order.total_krw) AS revenue
FROM public.shop_order
WHERE shop_order.status = 'paid'
  [[AND {{period}}]]
  [[AND {{region}}]]
GROUP BY 1
ORDER BY 2 DESC, 1
