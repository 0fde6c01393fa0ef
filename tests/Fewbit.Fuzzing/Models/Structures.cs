using Fewbit.Onnx.Protos;
using Fewbit.Tensors;

namespace Fewbit.Fuzzing.Models;

/// <summary>Changes of a model's structure: nesting, recursion, long chains, many nodes, external data.</summary>
internal static class Structures
{
    /// <summary>Puts the nodes into a chain of bodies of If, up to far beyond what a message may nest.</summary>
    public static void Nest(GraphProto graph, Random random)
    {
        if (graph.Output.Count == 0) return;
        int depth = random.Next(3) == 0 ? random.Next(60) : random.Next(1, 5);
        var inner = new GraphProto { Name = "inner", Node = { graph.Node }, Output = { graph.Output.Select(output => new ValueInfoProto { Name = output.Name }) } };
        graph.Node.Clear();
        graph.Initializer.Add(ModelParts.Tensor("nest/go", ElementType.Bool, [], [random.Next(2)]));
        for (int level = 0; level <= depth; level++)
        {
            NodeProto branch = ModelParts.Node("If", ["nest/go"], [.. inner.Output.Select(output => level == depth ? output.Name : $"nest{level}/{output.Name}")], ModelParts.Body("then_branch", inner), ModelParts.Body("else_branch", level < 2 ? inner.Clone() : new GraphProto()));
            if (level == depth)
            {
                graph.Node.Add(branch);
                return;
            }
            inner = new GraphProto { Name = $"level{level}", Node = { branch }, Output = { branch.Output.Select(name => new ValueInfoProto { Name = name }) } };
        }
    }

    /// <summary>Functions that call themselves, each other, or the next one twice.</summary>
    public static void Recurse(ModelProto model, Random random)
    {
        int count = random.Next(3) == 0 ? random.Next(1, 130) : random.Next(1, 14);
        bool closes = random.Next(2) == 0, doubles = random.Next(2) == 0;
        for (int i = 0; i < count; i++)
        {
            string next = i + 1 < count ? $"f{i + 1}" : closes ? "f0" : "";
            NodeProto call = next.Length == 0 ? ModelParts.Node("Relu", ["a"], ["m"]) : ModelParts.Node(next, ["a"], ["m"]);
            NodeProto second = doubles && next.Length > 0 ? ModelParts.Node(next, ["m"], ["b"]) : ModelParts.Node("Neg", ["m"], ["b"]);
            foreach (NodeProto node in (NodeProto[])[call, second]) node.Domain = node.OpType.StartsWith('f') ? "local" : "";
            model.Functions.Add(new FunctionProto { Name = $"f{i}", Domain = "local", Input = { "a" }, Output = { "b" }, Node = { call, second }, OpsetImport = { model.OpsetImport.Select(import => import.Clone()) } });
        }
        if (model.Graph is not { } graph || graph.Node.Count == 0) return;
        string from = graph.Node[0].Output.FirstOrDefault() ?? "";
        NodeProto first = ModelParts.Node("f0", [from], ["recursed"]);
        first.Domain = "local";
        graph.Node.Add(first);
        graph.Output.Add(new ValueInfoProto { Name = "recursed" });
        model.OpsetImport.Add(new OperatorSetIdProto { Domain = "local", Version = 1 });
    }

    public static void MakeExternal(TensorProto tensor, Random random)
    {
        if (random.Next(4) > 0) tensor.ClearRawData();
        tensor.DataLocation = TensorProto.Types.DataLocation.External;
        string[] places = ["weights.bin", "weights.bin", "weights.bin", "../outside.bin", "link.bin", "linked/outside.bin", "./sub/../weights.bin", "/etc/hostname", "", "missing.bin", ".", "weights.bin/x", "model.onnx", "\0", "fifo"];
        Add("location", places[random.Next(places.Length)]);
        if (random.Next(2) == 0) Add("offset", random.Next(2) == 0 ? $"{random.Next(5000)}" : $"{Interesting.Integer(random)}");
        if (random.Next(2) == 0) Add("length", random.Next(2) == 0 ? $"{random.Next(5000)}" : $"{Interesting.Integer(random)}");
        if (random.Next(4) == 0) Add("checksum", "0");

        void Add(string key, string value) => tensor.ExternalData.Add(new StringStringEntryProto { Key = key, Value = value });
    }

    /// <summary>Many nodes in a row behind one value: what recurses over producers must not use the stack.</summary>
    public static void Chain(GraphProto graph, Random random)
    {
        if (graph.Node.Count == 0 || graph.Node[0].Output.Count == 0) return;
        int length = random.Next(20) == 0 ? 3000 : random.Next(2, 40);
        string[] operators = ["Relu", "Identity", "Neg", "Transpose", "Flatten", "Shape", "Size", "Unsqueeze"];
        string op = operators[random.Next(operators.Length)], previous = graph.Node[0].Output[0];
        for (int i = 0; i < length; i++)
        {
            graph.Node.Add(ModelParts.Node(op, [previous], [$"chain{i}"]));
            previous = $"chain{i}";
        }
        graph.Output.Add(new ValueInfoProto { Name = previous });
    }

    /// <summary>Doubling: each value is twice as long as the one before.</summary>
    public static void Repeat(GraphProto graph, Random random)
    {
        if (graph.Node.Count == 0 || graph.Node[0].Output.Count == 0) return;
        string previous = graph.Node[0].Output[0];
        int length = random.Next(1, 64);
        bool reads = random.Next(2) == 0;
        for (int i = 0; i < length; i++)
        {
            graph.Node.Add(ModelParts.Node("Concat", [previous, previous], [$"twice{i}"], ModelParts.Int("axis", reads ? -1 : 0)));
            previous = $"twice{i}";
        }
        graph.Output.Add(new ValueInfoProto { Name = previous });
    }
}
