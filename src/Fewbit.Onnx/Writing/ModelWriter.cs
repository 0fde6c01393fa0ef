using Fewbit.Graphs;
using Fewbit.Onnx.Protos;
using Fewbit.Tensors;

namespace Fewbit.Onnx.Writing;

/// <summary>Turns a graph into the message of a model.</summary>
internal static class ModelWriter
{
    private static readonly string Version = typeof(ModelWriter).Assembly.GetName().Version!.ToString(3);

    public static ModelProto Write(Graph graph, SideFile side, OnnxSaveOptions options)
    {
        ModelProto model = (graph.Origin as GraphOrigin)?.Model?.Clone() ?? new();
        model.IrVersion = IrVersions.Lowest(graph);
        (model.ProducerName, model.ProducerVersion) = ("Fewbit", Version);
        if (graph.Documentation.Length > 0) model.DocString = graph.Documentation;
        foreach ((string key, string value) in graph.Metadata) model.MetadataProps.Add(new StringStringEntryProto { Key = key, Value = value });
        foreach (string domain in Domains(graph).Order(StringComparer.Ordinal))
        {
            model.OpsetImport.Add(new OperatorSetIdProto { Domain = domain, Version = graph.OpsetVersion(domain) });
        }
        var functions = new LocalFunctions(graph.OpsetVersion(""));
        model.Graph = new GraphWriter(new TensorWriter(side), options, functions).Write(graph);
        model.Functions.AddRange(functions.Written);
        if (model.Functions.Count > 0) model.IrVersion = Math.Max(model.IrVersion, IrVersions.WithFunctions);
        return model;
    }

    /// <summary>Bytes of all constants and tensor attributes, those of subgraphs too.</summary>
    public static long TensorBytes(Graph graph) => graph.Constants.Sum(value => value.Constant!.ByteCount) + graph.Nodes.Sum(node =>
        node.Attributes.Sum(attribute => attribute.Value switch
        {
            Tensor tensor => tensor.ByteCount,
            Tensor[] tensors => tensors.Sum(tensor => tensor.ByteCount),
            _ => 0,
        }) + node.Subgraphs().Sum(TensorBytes));

    private static HashSet<string> Domains(Graph graph)
    {
        var domains = new HashSet<string>(graph.Opsets.Keys, StringComparer.Ordinal);
        Visit(graph);
        return domains;

        void Visit(Graph current)
        {
            foreach (Node node in current.Nodes)
            {
                domains.Add(node.Domain);
                foreach (Graph body in node.Subgraphs()) Visit(body);
            }
        }
    }
}
