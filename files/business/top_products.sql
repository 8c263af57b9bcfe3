-- Copyright: crowsnest contributors
-- SPDX-License-Identifier: Apache-2.0
SELECT
  shop_product.name AS "Product",
  SUM(shop_orderitem.quantity) AS "Units",
  SUM(shop_orderitem.quantity * shop_orderitem.unit_price_krw) AS "Revenue"
FROM public.shop_order
JOIN public.shop_orderitem ON shop_orderitem.order_id = shop_order.id
JOIN public.shop_product ON shop_product.id = shop_orderitem.product_id
WHERE shop_order.status = 'paid'
  [[AND {{period}}]]
  [[AND {{region}}]]
GROUP BY shop_product.id, shop_product.name
ORDER BY 3 DESC, 1
LIMIT 20
