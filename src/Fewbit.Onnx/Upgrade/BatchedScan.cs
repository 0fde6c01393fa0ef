using Fewbit.Graphs;

namespace Fewbit.Onnx.Upgrade;

/// <summary>Scan 8, which runs its body for every sample of a batch: a Scan over the batch around a Scan over the sequence.</summary>
internal static class BatchedScan
{
    public static void Rewrite(NodeRewriter node)
    {
        Node old = node.Node;
        old.Expect(old.Input(0) is null, $"gives each sample a length of its own (input sequence_lens), which later opsets lack; expected sequences of one length");
        Value[] given = [.. old.Inputs.Skip(1).Select(input => input ?? throw old.Fail("leaves out an input"))];
        Graph sequenceBody = old.Subgraph("body");
        var sampleBody = new Graph($"{sequenceBody.Name}/sample", parent: old.Graph);
        Value[] samples = [.. given.Select(input => sampleBody.AddInput(sampleBody.UniqueName($"{input.Name}/sample"), input.Type, null))];
        Attributes attributes = old.Attributes.Clone(body => new GraphCloner().Clone(body, sampleBody));
        if (attributes.Find("directions") is { } directions)
        {
            attributes.Remove("directions");
            attributes.Add("scan_input_directions", directions);
        }
        Node inner = sampleBody.AppendRaw("", "Scan", old.Name, samples, old.Outputs.Select((_, i) => sampleBody.AddValue(sampleBody.UniqueName($"{old.Name}/sample{i}"))), attributes);
        foreach (Value output in inner.Outputs) sampleBody.AddOutput(output);
        node.Replace("Scan", given, new() { { "body", sampleBody }, { "num_scan_inputs", (long)given.Length } });
    }
}
