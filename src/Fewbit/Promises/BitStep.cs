namespace Fewbit.Promises;

/// <summary>A layer with fewer bits than before.</summary>
/// <param name="Node">The layer.</param>
/// <param name="Bits">Bits of its weights from here on.</param>
/// <param name="CostPerByte">Rise of the output's divergence over the bytes saved.</param>
internal sealed record BitStep(string Node, int Bits, double CostPerByte)
{
    /// <summary>The steps of all layers from 8 bits down, the cheapest for each byte that it saves first.</summary>
    /// <param name="layers">Each layer with its number of weights and its cost at 4 and at 2 bits, alone among layers of 8 bits.</param>
    /// <remarks>Where 4 bits cost more a byte than the two that follow, a layer goes from 8 to 2 at once: else the order would end in front of a cheap step behind a dear one.</remarks>
    public static IReadOnlyList<BitStep> Order(IEnumerable<(string Node, long Weights, double CostAt4, double CostAt2)> layers)
    {
        var steps = new List<BitStep>();
        foreach ((string node, long weights, double costAt4, double costAt2) in layers)
        {
            double bytesAt4 = weights / 2.0, bytesAt2 = weights * 0.75, first = costAt4 / bytesAt4, second = (costAt2 - costAt4) / (bytesAt2 - bytesAt4);
            if (first <= second) steps.AddRange([new(node, 4, first), new(node, 2, second)]);
            else steps.Add(new(node, 2, costAt2 / bytesAt2));
        }
        return [.. steps.OrderBy(step => step.CostPerByte).ThenByDescending(step => step.Bits)];
    }
}
